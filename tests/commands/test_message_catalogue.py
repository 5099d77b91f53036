"""The catalogue of messages has all of them, also those whose fields nobody can describe."""

from typing import Any

from commands.message_catalogue import Listed, messages_as_markdown
from eventfold import Message


class Parcel(Message, message_type="parcel", version=3):
    """Something is on its way."""

    kilos: int = 1


class Opaque(Message, channel="things"):
    what: object


class Listing(Message, channel="things", array_like=True):
    one: int
    other: Any


def test_a_message_is_described_by_its_docstring_its_fields_and_an_example() -> None:
    page = messages_as_markdown("shop", [Listed(Parcel, None, ("sent by `pack`",))])

    assert page.splitlines()[:9] == [
        "# Messages of shop",
        "",
        "## parcel",
        "",
        "Version 3, on a channel that each names: sent by `pack`.",
        "",
        "Something is on its way.",
        "",
        "| field | type | default |",
    ]
    assert page.endswith('```json\n{\n  "kilos": 1\n}\n```')


def test_fields_that_cannot_be_described_keep_no_message_out() -> None:
    uses = ("sent by `pack`",)

    page = messages_as_markdown("shop", [Listed(Opaque, "things", uses), Listed(Listing, "things", uses)])

    assert page.index("## Listing") < page.index("## Opaque")
    assert page.endswith("JSON Schema has no words for its fields.")
