"""Why a stream has no events, or had none at a moment."""

from eventstore.backend import Backend, StreamRange
from eventstore.errors import StreamNotFound
from eventstore.recorded import Recorded
from eventstore.stream import category_of, id_of


def stream_not_found(backend: Backend, stream: str) -> StreamNotFound:
    """The error for a stream of which nothing was found: whether there is anything of it at all, and since when.

    Args:
        backend: the log.
        stream: the stream's name.
    """
    first = backend.stream_page(stream, StreamRange(), 1)
    if not first:
        return StreamNotFound(stream, _whole_name(backend, stream))
    begun = Recorded(None, *first[0][:-1])
    return StreamNotFound(
        stream,
        f"stream {stream!r} had no events then: its first one occurred {begun.occurred_at:%Y-%m-%d %H:%M:%S} UTC and was "
        f"recorded {begun.recorded_at:%Y-%m-%d %H:%M:%S} UTC. Ask for a later moment.",
    )


def _whole_name(backend: Backend, stream: str) -> str | None:
    """What to say where the id that was given is the whole name of a stream that does exist."""
    category, meant = category_of(stream), id_of(stream)
    if not meant.startswith(f"{category}-") or not backend.stream_page(meant, StreamRange(), 1):
        return None
    return f"stream {stream!r} has no events, and {meant!r} has: its id is {id_of(meant)!r}, without the category."
