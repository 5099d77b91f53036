"""What a fold says of itself in its signature: the model, the events, and whether it wants to know the key."""

import inspect
from collections.abc import Callable
from typing import Any, get_args, get_origin, get_type_hints

import msgspec

from eventstore import DefinitionError, Event, Recorded
from eventstore.event import event_classes
from projections.lookup import RowLookup
from projections.model import Model, bare, model_of, shown

POSITIONAL = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
EXAMPLE = (
    "(row: Balance | None, recorded: Recorded[AccountEvent]), and a third one, as in key: str, where the key is wanted"
)


class Signature(msgspec.Struct, frozen=True):
    """What was read from a fold's parameters.

    Attributes:
        model: of its rows.
        events: the event classes it folds.
        takes_key: whether it has a third parameter, for the key of the row.
        takes_lookup: whether its last parameter looks up rows of other projections.
    """

    model: Model
    events: tuple[type[Event], ...]
    takes_key: bool
    takes_lookup: bool = False


def read_signature(name: str, function: Callable[..., Any]) -> Signature:
    """Reads the parameters of a projection's fold.

    Raises:
        DefinitionError: they are not a row, a recorded event and, where it is wanted, the key, each with its annotation.
    """
    if inspect.iscoroutinefunction(function):
        raise DefinitionError(f"projection {name!r}: a fold is pure and awaits nothing; declare it with `def`")
    parameters = inspect.signature(function).parameters
    try:
        hints = get_type_hints(function)
    except NameError as error:
        raise DefinitionError(f"projection {name!r}: an annotation cannot be resolved: {error}") from error
    names = list(parameters)
    takes_lookup = any(hints.get(each) is RowLookup for each in names[-1:])
    if len(names) - takes_lookup not in {2, 3} or any(each.kind not in POSITIONAL for each in parameters.values()):
        found = inspect.signature(function)
        raise DefinitionError(f"projection {name!r}: expected two positional parameters, as in {EXAMPLE}; got {found}")
    if missing := [each for each in parameters if each not in hints]:
        raise DefinitionError(f"projection {name!r}: parameter {missing[0]}: expected an annotation, as in {EXAMPLE}")
    row, recorded, *key = names[: len(names) - takes_lookup]
    model = _model(name, row, hints[row])
    if get_origin(hints[recorded]) is not Recorded:
        raise DefinitionError(
            f"projection {name!r}: parameter {recorded}: expected `Recorded[...]`, got {shown(hints[recorded])}"
        )
    if key and bare(hints[key[0]]) != model.key.type:
        raise DefinitionError(
            f"projection {name!r}: parameter {key[0]}: expected {shown(model.key.type)}, the type of the key "
            f"{model.cls.__name__}.{model.key.name}, got {shown(hints[key[0]])}"
        )
    return Signature(model, event_classes(get_args(hints[recorded])[0]), bool(key), takes_lookup)


def _model(name: str, parameter: str, hint: Any) -> Model:
    structs = [each for each in get_args(hint) if isinstance(each, type) and issubclass(each, msgspec.Struct)]
    if len(structs) != 1 or type(None) not in get_args(hint):
        raise DefinitionError(f"projection {name!r}: parameter {parameter}: expected `Model | None`, got {shown(hint)}")
    return model_of(structs[0])
