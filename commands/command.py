"""Commands: what somebody wants to happen, as frozen Structs, validated before anything looks at them."""

import math
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, TypeVar, dataclass_transform

import msgspec

from commands.errors import InvalidCommand
from commands.faults import faulty_in, field_types, missing_in, name_of_type, sentence
from eventstore import DefinitionError
from eventstore.frozen import FrozenMeta

C = TypeVar("C", bound="Command")


@dataclass_transform(frozen_default=True, field_specifiers=(msgspec.field,))  # see FrozenMeta
class Command(msgspec.Struct, metaclass=FrozenMeta, forbid_unknown_fields=True):
    """A request to change one or several streams, named in the imperative.

    class Withdraw(Command):
        account_id: str                             # names the stream: account-<account_id>
        amount: Annotated[int, Meta(gt=0)]
    """

    def validate(self) -> Iterable[str]:
        """Rules over several fields, for a command to override: one sentence a fault, which begins with the field's name.

        Called once every field is of its declared type; what needs more than the command itself is `look_up`'s.
        """
        return ()


@cache
def _codec(cls: type[Command]) -> tuple[Any, Any]:
    return msgspec.json.Encoder().encode, msgspec.json.Decoder(cls).decode


def validate(command: Command) -> None:
    """Holds every field against its declared type and constraints, and then the command against its own rules.

    Raises:
        InvalidCommand: with one sentence for every faulty field.
        DefinitionError: its `validate` gives something else than sentences.
    """
    cls = type(command)
    encode, decode = _codec(cls)
    try:
        fits = decode(encode(command)) == command
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError):
        fits = False  # found out field by field below
    if not fits:
        faults = [fault for name in field_types(cls) if (fault := _fault(command, name))]
        raise InvalidCommand(cls.__name__, faults or ["a field would not read back equal"])
    if cls.validate is not Command.validate and (faults := gathered(cls, command.validate())):
        raise InvalidCommand(cls.__name__, faults)


def gathered(cls: type[Command], found: Any) -> list[str]:
    """The faults that a rule found.

    Raises:
        DefinitionError: it gives something else than sentences.
    """
    one = isinstance(found, str | Mapping) or not isinstance(found, Iterable)  # the keys of a Mapping say nothing
    faults: list[str] = [found] if one else list(found)
    if one or not all(isinstance(each, str) for each in faults):
        raise DefinitionError(f"{cls.__name__}: expected a rule to give a list of sentences, got {found!r}")
    return faults


def _fault(command: Command, name: str) -> str | None:
    value, declared = getattr(command, name), field_types(type(command))[name]
    try:
        read = msgspec.json.decode(msgspec.json.encode(value), type=declared)
    except msgspec.ValidationError as error:
        if isinstance(value, float) and not math.isfinite(value):
            return f"{name}: expected a finite number, got {value}"
        return f"{name}: {sentence(error, declared)}, got {value!r}"
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        return f"{name}: {error}"
    return None if read == value else f"{name}: expected {name_of_type(declared)}, got {value!r}"


def read_command(cls: type[C], fields: Mapping[str, Any]) -> C:
    """A command from decoded JSON, as it comes from a command line or the network.

    Raises:
        InvalidCommand: with one sentence for every missing, unknown or faulty field.
    """
    if not isinstance(fields, Mapping):
        raise InvalidCommand(cls.__name__, [f"expected an object of fields, got {fields!r}"])
    known = [field.encode_name for field in msgspec.structs.fields(cls)]
    names = f"one of {', '.join(known)}" if known else "no fields"
    unknown = [f"{name}: unknown; expected {names}" for name in fields if name not in known]
    faults = [*missing_in(cls, fields), *unknown, *faulty_in(cls, fields)]
    if faults:
        raise InvalidCommand(cls.__name__, faults)
    try:
        return msgspec.convert(dict(fields), cls, str_keys=True)
    except msgspec.ValidationError as error:  # the class's own __post_init__ refuses fields that are good one by one
        raise InvalidCommand(cls.__name__, [str(error)]) from error
