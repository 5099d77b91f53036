"""Makes a log in memory."""

from sqlalchemy.engine import URL

from eventstore.backends.memory.backend import MemoryBackend


def open_backend(url: URL, *, prefix: str, schema: str | None) -> MemoryBackend:  # noqa: ARG001 - every backend's
    """A new, empty log; URL, prefix and schema say nothing here."""
    return MemoryBackend()
