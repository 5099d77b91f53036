"""Decisions: pure functions from state and command to events, and how their streams are found."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, ParamSpec, TypeVar, get_args, get_type_hints, overload

import msgspec

from commands.command import Command
from commands.message import Message
from commands.stream_rule import StreamRule, rule_for
from eventstore import Aggregate, DefinitionError, Event, Query
from eventstore.aggregate import initial as initial_of

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Parameter(msgspec.Struct, frozen=True):
    """One aggregate that a decision wants, and the stream it is loaded from."""

    name: str
    aggregate: type[Aggregate[Any]]
    stream: StreamRule


class Handler(Generic[P, R]):
    """A decision with what it needs; calling it calls the function, so that a test needs nothing else.

    Attributes:
        name: the function's name.
        command: the command class that it handles.
        parameters: the aggregates that it wants, in the order of its signature.
        query: for a decision over a query: from the command to the query.
        initial: for a decision over a query: from the command to the state before the first event, where that is said.
        returns: its return annotation.
    """

    def __init__(
        self,
        function: Callable[P, R],
        command: type[Command],
        parameters: tuple[Parameter, ...],
        query: Callable[[Any], Query] | None,
        initial: Callable[[Any], Aggregate[Any]] | None,
        returns: Any,
    ) -> None:
        self.function = function
        self.name = function.__name__
        self.command = command
        self.parameters = parameters
        self.query = query
        self.initial = initial
        self.returns = returns
        self.__doc__ = function.__doc__
        self.__wrapped__ = function
        aggregates = {each.name for each in parameters}
        self._command_name = next(name for name in inspect.signature(function).parameters if name not in aggregates)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Calls the function itself."""
        return self.function(*args, **kwargs)

    def decide(self, states: Mapping[str, Any], command: Command) -> Any:
        """Runs the decision on loaded states, by the names of its parameters."""
        function: Callable[..., Any] = self.function
        return function(**states, **{self._command_name: command})

    @property
    def yields(self) -> tuple[type[Event], ...]:
        """The events that it may decide on, as far as its return annotation says."""
        return tuple(dict.fromkeys(classes_in(self.returns, Event)))

    @property
    def tells(self) -> tuple[type[Message], ...]:
        """The messages for others that it may decide on, as far as its return annotation says."""
        return tuple(dict.fromkeys(classes_in(self.returns, Message)))

    def start(self, command: Command) -> Aggregate[Any]:
        """The state of a decision over a query before the first event.

        Raises:
            DefinitionError: `initial=` returns something else than the decision's aggregate.
        """
        aggregate = self.parameters[0].aggregate
        state: Aggregate[Any] = initial_of(aggregate) if self.initial is None else self.initial(command)
        if not isinstance(state, aggregate):
            raise DefinitionError(f"handler {self.name}: initial=: expected a {aggregate.__name__}, got {state!r}")
        return state

    def __repr__(self) -> str:
        return f"<handler {self.name} of {self.command.__name__}>"


def classes_in(annotation: Any, base: type[T]) -> Iterator[type[T]]:
    """The classes under a base that an annotation names, however deep."""
    if isinstance(annotation, type) and issubclass(annotation, base):
        yield annotation
    for inner in get_args(getattr(annotation, "__value__", annotation)):  # `type X = A | B`, Python 3.12
        yield from classes_in(inner, base)


@overload
def handles(function: Callable[P, R], /) -> Handler[P, R]: ...
@overload
def handles(
    *,
    stream: str | Callable[[Any], str] | None = None,
    streams: Mapping[str, str | Callable[[Any], str]] | None = None,
    query: Callable[[Any], Query] | None = None,
    initial: Callable[[Any], Aggregate[Any]] | None = None,
) -> Callable[[Callable[P, R]], Handler[P, R]]: ...
def handles(
    function: Callable[..., Any] | None = None,
    /,
    *,
    stream: str | Callable[[Any], str] | None = None,
    streams: Mapping[str, str | Callable[[Any], str]] | None = None,
    query: Callable[[Any], Query] | None = None,
    initial: Callable[[Any], Aggregate[Any]] | None = None,
) -> Any:
    """Makes a function the decision for the command that its annotations name.

        @handles
        def withdraw(account: Account, command: Withdraw) -> list[AccountEvent]: ...

    Args:
        function: takes one command and one or several aggregates, and returns a list of events; a decision over several
            streams returns a dict from the aggregate's parameter name to its list.
        stream: for one aggregate: the command's field that holds the id, or a function from the command to the stream's
            name; by default the field `<category>_id`.
        streams: the same for several aggregates, by parameter name.
        query: a function from the command to a `Query`: the aggregate is then folded from the events that match,
            whatever their stream, and the append is refused if another one has come in since. The events go to the
            stream that `stream` names.
        initial: with `query`: a function from the command to the state before the first event, for a state that has to
            know what it is about; by default the aggregate without arguments.

    Raises:
        DefinitionError: something can be neither inferred nor is it said.
    """
    if function is not None:
        return _define(function, None, {}, None, None)
    return lambda each: _define(each, stream, streams or {}, query, initial)


def _define(
    function: Callable[..., Any],
    stream: str | StreamRule | None,
    streams: Mapping[str, str | StreamRule],
    query: Callable[[Any], Query] | None,
    initial: Callable[[Any], Aggregate[Any]] | None,
) -> Handler[..., Any]:
    if not (inspect.isfunction(function) or inspect.ismethod(function)):
        raise DefinitionError(f"@handles: expected a function, got {function!r}; options have names, as in `stream=`")
    where = f"handler {function.__qualname__}"
    _check_plain(where, function)
    hints = _hints(where, function)
    returns = hints.pop("return", None)
    command, aggregates = _command_and_aggregates(where, hints)
    _check_query(where, aggregates, query, initial)
    rules = _rules(where, aggregates, stream, streams)
    parameters = tuple(
        Parameter(name, cls, rule_for(where, command, cls, rules.get(name))) for name, cls in aggregates.items()
    )
    return Handler(function, command, parameters, query, initial, returns)


def _check_plain(where: str, function: Callable[..., Any]) -> None:
    kinds = (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction)
    if any(is_kind(function) for is_kind in kinds):
        raise DefinitionError(
            f"{where}: a decision is a plain function that returns a list of events; drop async or yield"
        )
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    nameless = [name for name, each in inspect.signature(function).parameters.items() if each.kind not in named]
    if nameless:
        raise DefinitionError(f"{where}: {', '.join(nameless)}: a decision is called by name; drop `/` and `*`")


def _hints(where: str, function: Callable[..., Any]) -> dict[str, Any]:
    try:
        hints = get_type_hints(function)
    except NameError as error:
        raise DefinitionError(f"{where}: an annotation cannot be resolved: {error}") from error
    missing = [name for name in inspect.signature(function).parameters if name not in hints]
    if missing:
        raise DefinitionError(f"{where}: annotate {', '.join(missing)} with the Aggregate or Command class")
    return hints


def _command_and_aggregates(
    where: str, hints: Mapping[str, Any]
) -> tuple[type[Command], dict[str, type[Aggregate[Any]]]]:
    commands = [cls for cls in hints.values() if isinstance(cls, type) and issubclass(cls, Command)]
    if len(commands) != 1:
        raise DefinitionError(f"{where}: expected one parameter annotated with a Command class, got {len(commands)}")
    aggregates = {name: cls for name, cls in hints.items() if cls is not commands[0]}
    for name, cls in aggregates.items():
        if not (isinstance(cls, type) and issubclass(cls, Aggregate)):
            raise DefinitionError(f"{where}: parameter {name}: expected an Aggregate or Command class, got {cls!r}")
    if not aggregates:
        raise DefinitionError(f"{where}: expected at least one parameter annotated with an Aggregate class, got none")
    return commands[0], aggregates


def _check_query(where: str, aggregates: Mapping[str, Any], query: object, initial: object) -> None:
    if query is not None and len(aggregates) > 1:
        raise DefinitionError(f"{where}: a decision over a query takes one aggregate, got {', '.join(aggregates)}")
    if initial is not None and query is None:
        raise DefinitionError(f"{where}: initial= goes with query=; a stream's state begins the same for every command")


def _rules(
    where: str,
    aggregates: Mapping[str, Any],
    stream: str | StreamRule | None,
    streams: Mapping[str, str | StreamRule],
) -> Mapping[str, str | StreamRule]:
    """What is said about the streams, by parameter name."""
    if unknown := streams.keys() - aggregates.keys():
        raise DefinitionError(f"{where}: streams=: expected parameter names, got {', '.join(sorted(unknown))}")
    if stream is None:
        return streams
    if len(aggregates) > 1:
        raise DefinitionError(f"{where}: stream= names one stream, but there are {', '.join(aggregates)}; use streams=")
    if streams:
        raise DefinitionError(f"{where}: expected stream= or streams=, got both; keep one")
    return dict.fromkeys(aggregates, stream)
