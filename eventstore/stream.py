"""Stream names: `category-id`, one stream for each aggregate."""

from eventstore.errors import InvalidStreamName

MAX_STREAM_LENGTH = 255
SYSTEM_PREFIX = "$"


def stream_name(category: str, stream_id: str) -> str:
    """The name of the stream that belongs to `stream_id` in `category`.

    Raises:
        InvalidStreamName: the category has a dash, or the name breaks one of the rules of `check_stream_name`.
    """
    check_category(category)
    if not isinstance(stream_id, str) or not stream_id:
        raise InvalidStreamName(
            f"stream of {category!r}: id: expected a text of at least one character, got {stream_id!r}"
        )
    return check_stream_name(f"{category}-{stream_id}")


def check_category(category: str) -> str:
    """Returns the category if streams can belong to it.

    Raises:
        InvalidStreamName: it is empty, has a dash, or has characters that no stream name may have.
    """
    if not isinstance(category, str) or not category or not category.isprintable() or "-" in category:
        raise InvalidStreamName(f"category: expected printable text without a dash, which ends it, got {category!r}")
    return category


def category_of(stream: str) -> str:
    """What stands before the first dash; the whole name where there is none."""
    return stream.partition("-")[0]


def id_of(stream: str) -> str:
    """What stands after the first dash; the whole name where there is none."""
    category, dash, stream_id = stream.partition("-")
    return stream_id if dash else category


def check_stream_name(stream: str, *, system: bool = False) -> str:
    """Returns the name if events may be appended to it.

    Args:
        stream: 1 to 255 characters, all printable.
        system: whether a name that begins with `$` is allowed.

    Raises:
        InvalidStreamName: with the rule that the name breaks.
    """
    if isinstance(stream, str) and 0 < len(stream) <= MAX_STREAM_LENGTH and stream.isprintable():
        if stream[0] == SYSTEM_PREFIX and not system:
            raise InvalidStreamName(f"stream name {stream!r}: names that begin with $ are reserved for the system")
        return stream
    if not isinstance(stream, str):
        raise InvalidStreamName(f"stream name: expected text, got {type(stream).__name__}")
    if not stream:
        raise InvalidStreamName("stream name: expected 1 to 255 characters, got an empty text")
    if len(stream) > MAX_STREAM_LENGTH:
        raise InvalidStreamName(
            f"stream name {stream[:40]!r}...: expected at most {MAX_STREAM_LENGTH} characters, got {len(stream)}"
        )
    raise InvalidStreamName(f"stream name {stream!r}: expected printable characters only")
