"""A parameter that an application does not have is named at once, with the nearest that there is."""

from typing import Any

import pytest

from eventfold import Application, AsyncApplication, DefinitionError


@pytest.mark.parametrize("kind", [Application, AsyncApplication])
@pytest.mark.parametrize(
    ("url", "options", "sentence"),
    [
        ("memory://", {"handlerz": []}, "there is no parameter handlerz=; did you mean handlers="),
        ("sqlite:///x.db", {"synchronus": "off"}, "there is no parameter synchronus=; did you mean synchronous="),
        (
            "sqlite:///x.db",
            {"pigeons": 1},
            "there is no parameter pigeons=; a database at this URL takes busy_seconds, cache_states",
        ),
        ("sqlite:///x.db", {"pool_size": 1}, "there is no parameter pool_size=; a database at this URL takes"),
    ],
)
def test_an_unknown_parameter_is_named_with_the_nearest(
    kind: type[Application | AsyncApplication], url: str, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(DefinitionError, match=sentence):
        kind(url, **options)


def test_what_is_wrong_with_the_url_is_told_when_it_is_opened() -> None:
    assert Application("pigeons://loft", handlerz=[]).name == "application"
