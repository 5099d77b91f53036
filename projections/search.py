"""Full-text search over a read model that an index keeps."""

import base64
import binascii
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, TypeVar

import msgspec

from projections.errors import InvalidQuery

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch

M = TypeVar("M")


class Hit(msgspec.Struct, Generic[M], frozen=True):
    """A row that was found.

    Attributes:
        row: the row.
        score: how well it fits; the higher, the better.
        highlights: by field, pieces of its text with what was found between `<em>` and `</em>`; empty unless asked for.
        place: where it stands in the order, for a cursor.
    """

    row: M
    score: float
    highlights: Mapping[str, list[str]] = {}
    place: tuple[Any, ...] = ()


class Text(msgspec.Struct, frozen=True):
    """What is searched for.

    Attributes:
        text: words; the more of them a row has, the better it fits.
        fields: in which fields, each with a weight where it counts more, as in "name^2"; empty for all that hold text.
        fuzziness: how many letters of a word may differ: 0, 1, 2, or "auto" for more in longer words.
        highlight: whether to show where it was found.
        after: score and key of the last hit of the page before.
    """

    text: str
    fields: tuple[str, ...] = ()
    fuzziness: int | Literal["auto"] = 0
    highlight: bool = False
    after: tuple[Any, ...] | None = None


class OpenIndex(NamedTuple):
    """The official client, and the name under which it finds a model's live rows."""

    client: "Elasticsearch"
    name: str


def check_text(text: Text) -> Text:
    """Returns what can be searched for.

    Raises:
        InvalidQuery: the text is none, or the fuzziness is not one.
    """
    if not isinstance(text.text, str):
        raise InvalidQuery(f"search: expected text, got {text.text!r}")
    if text.fuzziness not in {0, 1, 2, "auto"} or isinstance(text.fuzziness, bool):
        raise InvalidQuery(f'search: fuzziness: expected 0, 1, 2 or "auto", got {text.fuzziness!r}')
    return text


def cursor_after(place: tuple[Any, ...]) -> str:
    """The cursor after a hit."""
    return base64.urlsafe_b64encode(msgspec.json.encode(["search", *place])).decode().rstrip("=")


def read_search_cursor(text: str) -> tuple[Any, ...]:
    """Score and key to go on after.

    Raises:
        InvalidQuery: it is not a cursor of a search.
    """
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        _, score, key = msgspec.json.decode(raw, type=tuple[Literal["search"], float, str | int | float | bool])
    except (binascii.Error, msgspec.MsgspecError, UnicodeDecodeError, ValueError, TypeError, AttributeError) as error:
        raise InvalidQuery(f"cursor: expected the `next` of a page of a search, got {text!r}") from error
    return score, key
