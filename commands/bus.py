"""The command bus: from a command to its one handler, through the middleware."""

import inspect
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from functools import partial, reduce
from typing import Any, TypeAlias

import msgspec

from commands.around import Around
from commands.command import Command, validate
from commands.envelope import Envelope
from commands.errors import InvalidCommand, NoHandler
from commands.failure import told
from commands.handler import Handler
from commands.idempotency.ledger import Ledger
from commands.idempotency.once import once_steps
from commands.idempotency.policy import Idempotency
from commands.outbox.outbox import Outbox
from commands.receipt import Receipt
from commands.retry import RetryPolicy
from commands.shell import Perform, PerformAsync, perform_in, perform_in_async, run, run_async
from commands.steps import Steps, dispatch_steps
from eventstore import DefinitionError, EventfoldError, EventStore

logger = logging.getLogger(__name__)

VALIDATION = "validation"

Next: TypeAlias = Callable[[Envelope], Receipt]
Middleware: TypeAlias = Callable[[Envelope, Next], Receipt]
AsyncNext: TypeAlias = Callable[[Envelope], Awaitable[Receipt]]
AsyncMiddleware: TypeAlias = Callable[[Envelope, AsyncNext], Awaitable[Receipt]] | Around


class HandlerMap:
    """Which handler each command has.

    Raises:
        DefinitionError: something is not a handler, or two handle the same command.
    """

    def __init__(self, handlers: Iterable[Handler[..., Any]]) -> None:
        self._handlers: dict[type[Command], Handler[..., Any]] = {}
        for handler in handlers:
            if not isinstance(handler, Handler):
                raise DefinitionError(f"handlers: expected functions under @handles, got {handler!r}")
            other = self._handlers.get(handler.command)
            if other is not None:
                raise DefinitionError(
                    f"{handler.command.__name__} is handled by {other.name} and by {handler.name}; keep one"
                )
            self._handlers[handler.command] = handler

    def __iter__(self) -> Iterator[Handler[..., Any]]:
        return iter(self._handlers.values())

    def find(self, command: Command) -> Handler[..., Any]:
        """The handler of a command.

        Raises:
            InvalidCommand: it is not a command at all.
            NoHandler: nothing handles it.
        """
        handler = self._handlers.get(type(command))
        if handler is None:
            if not isinstance(command, Command):
                raise InvalidCommand(type(command).__name__, ["expected an instance of a Command class"])
            known = ", ".join(sorted(cls.__name__ for cls in self._handlers)) or "none"
            raise NoHandler(
                f"nothing handles {type(command).__name__} (handled: {known}); pass its handler to the Application"
            )
        return handler

    def check(self, command: Command) -> None:
        """Makes sure that a command has a handler and holds its fields against their types; see `find` and `validate`."""
        self.find(command)
        validate(command)


class Innermost(msgspec.Struct, frozen=True):
    """What stands between the middleware and the log.

    Attributes:
        store: the log.
        ledger: of the idempotency keys, which accompanies the log.
        outbox: of the messages for others, which accompanies the log.
        handlers: by command.
        policy: of the conflict-retry loop; None where a conflict is left to the caller.
        idempotency: how keys are kept.
    """

    store: EventStore
    ledger: Ledger
    outbox: Outbox
    handlers: HandlerMap
    policy: RetryPolicy | None
    idempotency: Idempotency

    def done(self, envelope: Envelope) -> bool:
        """Whether the command was done before, under its idempotency key."""
        claim = self.idempotency.claim(envelope)
        return claim is not None and self.ledger.find(claim) is not None

    def steps(self, envelope: Envelope) -> Steps:
        """The way of a command from here."""
        handler = self.handlers.find(envelope.command)
        claim = self.idempotency.claim(envelope)
        if claim is None:
            return dispatch_steps(handler, envelope, self.policy, self.outbox, envelope.beside)
        beside = (claim, *envelope.beside)
        decided = partial(dispatch_steps, handler, envelope, self.policy, self.outbox, beside)
        return once_steps(decided, claim, keep_rejections=self.idempotency.keep_rejections)


class Bus:
    """Dispatches commands from threads.

    Args:
        inner: what stands behind the middleware.
        middleware: plain callables `(envelope, call_next) -> receipt`, the first one outermost. Validation comes before it,
            and again behind it: what reaches the handler is valid whatever middleware has made of it.
        perform: does what the steps of a command ask for; by default in the log.
    """

    def __init__(self, inner: Innermost, middleware: Sequence[Middleware], perform: Perform | None = None) -> None:
        check_middleware(middleware, awaited=False)
        self._inner = inner
        self._perform = perform or partial(perform_in, inner.store, inner.ledger, inner.outbox)
        self._handlers = inner.handlers
        innermost: Next = self._handle_changed if middleware else self._handle
        self._chain = reduce(_wrap, reversed(middleware), innermost)

    def dispatch(self, envelope: Envelope) -> Receipt:
        """Validates, then hands the command through the middleware to its handler. A failure leaves a line in the log."""
        try:
            self._handlers.check(envelope.command)
            return self._chain(envelope)
        except Exception as error:
            _log(envelope, error)
            raise

    def _handle_changed(self, envelope: Envelope) -> Receipt:
        self._handlers.check(envelope.command)
        return self._handle(envelope)

    def _handle(self, envelope: Envelope) -> Receipt:
        return run(self._inner.steps(envelope), self._perform)


class AsyncBus:
    """Dispatches commands from asyncio tasks; the middleware is awaited. See `Bus`."""

    def __init__(
        self, inner: Innermost, middleware: Sequence[AsyncMiddleware], perform: PerformAsync | None = None
    ) -> None:
        check_middleware(middleware, awaited=True)
        self._inner = inner
        self._perform = perform or partial(perform_in_async, inner.store, inner.ledger, inner.outbox)
        self._handlers = inner.handlers
        innermost: AsyncNext = self._handle_changed if middleware else self._handle
        self._chain = reduce(_wrap_async, reversed(middleware), innermost)

    async def dispatch(self, envelope: Envelope) -> Receipt:
        """Validates, then hands the command through the middleware to its handler. A failure leaves a line in the log."""
        try:
            self._handlers.check(envelope.command)
            return await self._chain(envelope)
        except Exception as error:
            _log(envelope, error)
            raise

    async def _handle_changed(self, envelope: Envelope) -> Receipt:
        self._handlers.check(envelope.command)
        return await self._handle(envelope)

    async def _handle(self, envelope: Envelope) -> Receipt:
        return await run_async(self._inner.steps(envelope), self._perform)


def check_middleware(middleware: Iterable[Any], *, awaited: bool) -> None:
    """Makes sure that middleware is `async def` exactly where it is awaited.

    Raises:
        DefinitionError: it is not, or cannot be called.
    """
    for each in middleware:
        if isinstance(each, Around):
            continue  # goes both ways
        if not callable(each):
            raise DefinitionError(f"middleware: expected a callable (envelope, call_next), got {each!r}")
        coroutine = inspect.iscoroutinefunction(each) or inspect.iscoroutinefunction(type(each).__call__)
        if awaited and not coroutine:
            raise DefinitionError(f"middleware {each!r}: an async application awaits it; declare it `async def`")
        if coroutine and not awaited:
            raise DefinitionError(f"middleware {each!r}: only an AsyncApplication awaits it; declare it `def`")


def pipeline(middleware: Iterable[Any], policy: RetryPolicy) -> tuple[str, ...]:
    """The way of a command from the outside to the decision, a name for each step."""
    own = [getattr(each, "__name__", type(each).__name__) for each in middleware]
    again = [*own, VALIDATION] if own else []
    return (VALIDATION, *again, "idempotency", f"retry on conflict (at most {policy.attempts} attempts)", "decision")


def _log(envelope: Envelope, error: Exception) -> None:
    """The one trace that a failure leaves: neither a field's value nor a text that may hold one."""
    level = logging.INFO if isinstance(error, EventfoldError) else logging.ERROR
    logger.log(level, "%s %s failed: %s", type(envelope.command).__name__, envelope.command_id, told(error))


def _wrap(following: Next, middleware: Middleware) -> Next:
    return lambda envelope: middleware(envelope, following)


def _wrap_async(following: AsyncNext, middleware: AsyncMiddleware) -> AsyncNext:
    if isinstance(middleware, Around):
        return lambda envelope: middleware.call_async(envelope, following)
    return lambda envelope: middleware(envelope, following)
