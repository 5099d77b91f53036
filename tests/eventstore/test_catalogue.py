"""The catalogue of events is what it says it is: JSON Schema 2020-12, AsyncAPI 3, and Markdown."""

import json
from typing import Any

import jsonschema
import msgspec
import pytest
from faststream.specification.asyncapi.v3_0_0.schema import ApplicationSchema

from eventstore import Event, JsonObject, open_store, upcasts
from eventstore.schema.catalogue import as_asyncapi, as_json_schema, as_markdown
from eventstore.testing.contract.vocabulary import EVENTS


class Address(msgspec.Struct, frozen=True):
    city: str


@upcasts("moved-in", 1)
def trimmed(data: JsonObject) -> JsonObject:
    """Without blanks."""
    return data


class MovedIn(Event, event_type="moved-in", version=2, aliases=["Moved"], upcasters=[trimmed]):
    """Somebody has a new home."""

    address: Address
    floor: int = 0


@pytest.fixture
def asyncapi() -> Any:
    return json.loads(as_asyncapi("trips", [MovedIn, *EVENTS]))


@pytest.fixture
def schema() -> Any:
    return json.loads(as_json_schema("trips", [MovedIn, *EVENTS]))


def test_the_asyncapi_document_is_one_of_version_3(asyncapi: Any) -> None:
    read = ApplicationSchema.model_validate(asyncapi)

    assert read.asyncapi == "3.0.0"
    assert set(asyncapi["components"]["messages"]) == {
        "moved-in",
        "account-renamed",
        *(each.__name__ for each in EVENTS),
    } - {"Renamed"}


def test_every_reference_in_the_asyncapi_document_leads_somewhere(asyncapi: Any) -> None:
    references = _references(asyncapi)

    assert len(references) >= 4  # of the channel, the operation, its message, and its payload
    for reference in references:
        found = asyncapi
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        here = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return here + [found for each in value.values() for found in _references(each)]
    return [found for each in value for found in _references(each)] if isinstance(value, list) else []


def test_the_json_schema_takes_what_is_stored_and_the_examples(schema: Any, asyncapi: Any) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)
    with open_store("memory://") as store:
        store.append("trip-1", [MovedIn(Address("Bath"))])
        [recorded] = store.read_log()

    jsonschema.validate(recorded.event.data, schema)
    for message in asyncapi["components"]["messages"].values():
        jsonschema.validate(message["examples"][0]["payload"], schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"address": 7}, {"$ref": "#/$defs/moved-in", "$defs": schema["$defs"]})


def test_the_page_says_what_an_event_means_and_how_it_came_to_be() -> None:
    page = as_markdown("trips", [MovedIn])

    assert page.startswith(
        "# Events of trips\n\n## moved-in\n\nVersion 2. Also stored as Moved.\n\nSomebody has a new home."
    )
    assert "| `address` | Address | required |" in page
    assert "| `floor` | integer | `0` |" in page
    assert "| moved-in 1 -> moved-in 2 | Without blanks. |" in page
