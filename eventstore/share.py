"""Shares of the log: streams divided by the CRC-32 of their ids, so that several readers need not all read everything."""

from zlib import crc32


def id_of(stream: str) -> str:
    """The id within a stream's name: "a-1" of `account-a-1`, and the whole name where it has no category."""
    return stream.partition("-")[2] or stream


def share_of(text: str, of: int) -> int:
    """The number, from 0, of the share that an id belongs to: the same in every process, for all time."""
    return crc32(text.encode(errors="surrogatepass")) % of
