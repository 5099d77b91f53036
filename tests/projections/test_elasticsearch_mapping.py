"""From models to mappings and documents, without a server."""

import enum
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from msgspec import Struct
from msgspec.json import decode

from eventfold import DefinitionError, ElasticsearchIndex
from projections.model import model_of
from projections.targets.elasticsearch_document import Documents, id_of
from projections.targets.elasticsearch_mapping import DELETED, index_fields, mapping_of


class Size(enum.StrEnum):
    LARGE = "large"


class Part(Struct, frozen=True):
    name: str
    parts: "list[Part]"
    weights: dict[str, float]


class Item(Struct, frozen=True):
    key: str
    count: int | None
    price: Decimal
    at: datetime
    size: Size
    part: Part | None
    tags: list[str]


def properties(overrides: dict[str, Any] | None = None) -> dict[str, Any]:
    mapping = mapping_of(index_fields("here", model_of(Item), overrides or {}), {})
    assert mapping["dynamic"] == "strict"
    found: dict[str, Any] = mapping["properties"]
    return found


def test_the_mapping_follows_from_the_models_types() -> None:
    found = properties()

    kinds = {name: each.get("type", "object") for name, each in found.items()}
    assert kinds == {
        DELETED: "boolean",
        "key": "keyword",
        "count": "long",
        "price": "double",
        "price-exact": "keyword",
        "at": "date",
        "size": "keyword",
        "part": "object",
        "part-exact": "keyword",
        "tags": "keyword",
        "tags-exact": "keyword",
    }
    assert found["key"]["fields"] == {"text": {"type": "text"}}
    assert found["part"]["properties"]["name"]["type"] == "keyword"
    assert found["part"]["properties"]["parts"] == {"type": "object", "enabled": False}, "it holds itself"
    assert found["part"]["properties"]["weights"] == {"type": "object", "enabled": False}


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("text", {"type": "text"}),
        ({"type": "text", "analyzer": "english"}, {"type": "text", "analyzer": "english"}),
        ({"type": "wildcard"}, {"type": "wildcard"}),
    ],
)
def test_a_field_is_mapped_as_it_is_said(override: Any, expected: dict[str, Any]) -> None:
    assert properties({"key": override})["key"] == expected


def test_an_analyzer_alone_adjusts_the_search_and_keeps_the_rest() -> None:
    found = properties({"key": {"analyzer": "german"}})["key"]

    assert found["type"] == "keyword"
    assert found["fields"] == {"text": {"type": "text", "analyzer": "german"}}


def test_an_instant_is_compared_exactly_whatever_it_is_mapped_to() -> None:
    found = properties({"at": {"type": "date", "format": "strict_date_time"}})["at"]

    assert found["format"] == "strict_date_time"
    assert found["fields"]["exact"]["type"] == "keyword"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"colour": "text"}, "Item has no field 'colour'; it has key, count"),
        ({"count": {"analyzer": "english"}}, "count is long, which is not searched as text"),
    ],
)
def test_an_override_that_does_not_fit_is_refused(overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        properties(overrides)


@pytest.mark.parametrize("name", ["", "Customers", "1st", "_x", "-x", "a b", "é", "x" * 101])
def test_a_name_that_no_index_can_have_is_refused(name: str) -> None:
    with pytest.raises(DefinitionError, match="ElasticsearchIndex: expected a name of at most 100 characters"):
        ElasticsearchIndex(name)


@pytest.mark.parametrize("refresh", [0, -1, "often", True, float("inf")])
def test_a_policy_that_is_none_is_refused(refresh: Any) -> None:
    with pytest.raises(DefinitionError, match="refresh: expected seconds > 0"):
        ElasticsearchIndex("things", refresh=refresh)


def test_a_row_is_written_and_read_back_equal() -> None:
    model = model_of(Item)
    documents = Documents(model, index_fields("here", model, {}))
    row = Item("k", None, Decimal("1.50"), datetime(1, 1, 1, tzinfo=UTC), Size.LARGE, Part("p", [], {"a": 0.5}), ["x"])

    source = decode(documents.encode(row))

    assert documents.decode(source) == row
    assert source["price"] == "1.50"
    assert source["at"] == "0001-01-01T00:00:00.000000+00:00"


def test_a_renamed_or_shortened_struct_is_written_under_its_fields_names() -> None:
    class Short(Struct, frozen=True, rename="camel", omit_defaults=True):
        the_key: str
        how_many: int = 0

    model = model_of(Short)
    documents = Documents(model, index_fields("here", model, {}))

    assert decode(documents.encode(Short("a"))) == {"the_key": "a", "how_many": 0}


def test_every_key_has_an_id_of_its_own_that_the_server_takes() -> None:
    keys = ["", "a", "~", "~a", "x" * 512, "x" * 513, "é" * 257, "~" + "0" * 64]

    ids = [id_of(key) for key in keys]

    assert len(set(ids)) == len(keys)
    assert all(0 < len(each.encode()) <= 512 for each in ids)
    assert (id_of("a"), id_of(7), id_of(Size.LARGE)) == ("a", "7", "large")
