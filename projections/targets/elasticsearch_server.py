"""Calls of an Elasticsearch server: with patience where it has too much to do, and with our own errors where it is away."""

import random
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from eventstore import Unsupported
from projections.errors import TargetUnavailable

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch

T = TypeVar("T")

PATIENCE_SECONDS = 4.0
"""How long a call that is turned away is repeated, before the projection waits as a whole."""
FIRST_PAUSE = 0.05
_BUSY = {429, 502, 503, 504}
_OTHER_MAJOR = "media_type_header_exception"
"""What a server answers to a client of a later major version."""


class Busy(Exception):
    """Part of a call was turned away because the server has too much to do."""


class ElasticsearchServer:
    """A server, or cluster, and how it is asked.

    Args:
        url: `http://host:port`, with user and password where it asks for them.
        timeout: seconds that one call may take.
        options: as for `elasticsearch.Elasticsearch`.
    """

    def __init__(self, url: str, timeout: float, options: Mapping[str, Any]) -> None:
        parts = urlsplit(url)
        self.description = (
            f"Elasticsearch at {parts.hostname}:{parts.port}" if parts.port else f"Elasticsearch at {parts.hostname}"
        )
        self._url, self._timeout, self._options = url, timeout, dict(options)

    @cached_property
    def client(self) -> "Elasticsearch":
        """The official client, made on first use; what it repeats is left to us.

        Raises:
            Unsupported: it is not installed.
        """
        try:
            from elasticsearch import Elasticsearch
        except ImportError as error:
            raise Unsupported(
                "ElasticsearchIndex needs the official client of the server's major version: pip install 'eventfold[elasticsearch]'"
            ) from error
        options = {"request_timeout": self._timeout, "max_retries": 0, "connections_per_node": 16, **self._options}
        return Elasticsearch(self._url, **options)

    def ask(self, call: "Callable[[Elasticsearch], T]") -> T:
        """What a call gives. Where the server has too much to do, it is repeated after growing pauses.

        Args:
            call: one that may be repeated.

        Raises:
            TargetUnavailable: the server does not answer, or not in time, or has too much to do.
            ApiError: it refuses, as of `elasticsearch`.
        """
        from elasticsearch import ApiError, TransportError, UnsupportedProductError

        client = self.client
        deadline = time.monotonic() + PATIENCE_SECONDS
        pause = FIRST_PAUSE
        while True:
            try:
                return call(client)
            except TransportError as error:
                failure = self._unavailable(f"does not answer: {type(error).__name__}: {error}", error)
            except UnsupportedProductError as error:
                raise self._unavailable(f"is no Elasticsearch that the client knows: {error}", error) from error
            except ApiError as error:
                if error.error == _OTHER_MAJOR:
                    raise self._unavailable(_other_major(error), error) from error
                if error.status_code in {401, 403}:
                    raise self._unavailable(f"refuses: {error}", error) from error
                if error.status_code not in _BUSY:
                    raise
                failure = self._unavailable(f"has too much to do: {error}", error)
            except Busy as error:
                failure = self._unavailable(f"has too much to do: {error}", error)
            if time.monotonic() + pause >= deadline:
                raise failure from failure.__cause__
            time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - so that those who wait do not come back together
            pause *= 2

    def _unavailable(self, what: str, error: Exception) -> TargetUnavailable:
        failure = TargetUnavailable(f"{self.description} {what}")
        failure.__cause__ = error
        return failure


def _other_major(error: Exception) -> str:
    major = version("elasticsearch").partition(".")[0]
    return (
        f"does not understand the client, which is of major version {major}: install the one of the server's major version, as in "
        f'pip install "elasticsearch=={int(major) - 1}.*" ({error})'
    )
