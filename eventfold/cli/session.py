"""What all commands share: the options, the application that they work on, and how errors end."""

import functools
import inspect
import os
import sys
from collections.abc import Callable
from functools import cached_property
from typing import Annotated, Any, NoReturn, TypeVar

import typer
from rich.markup import escape

from commands.inbox.inbox import Inbox
from commands.outbox.outbox import Outbox
from eventfold.application import Application
from eventfold.async_application import AsyncApplication
from eventfold.cli.help import PlainCommand
from eventfold.cli.output import Format, error_console
from eventfold.parts import Parts
from eventfold.settings import APP_VARIABLE, DATABASE_VARIABLE, expect_application, find_application, load_declared
from eventstore import EventfoldError

_PANEL = "Everywhere"

AppOption = Annotated[
    str | None,
    typer.Option(
        "--app", metavar="MODULE:NAME", help="The application to work on.", rich_help_panel=_PANEL, show_default=False
    ),
]
DatabaseOption = Annotated[
    str | None,
    typer.Option("--database", metavar="URL", help="A database in place of its own.", rich_help_panel=_PANEL),
]
FormatOption = Annotated[
    Format | None,
    typer.Option("--format", "-f", help="How to print data; by default as a table.", rich_help_panel=_PANEL),
]
DebugOption = Annotated[
    bool,
    typer.Option("--debug", help="Show the traceback of an error.", rich_help_panel=_PANEL, show_default=False),
]
Alone = TypeVar("Alone", Inbox, Outbox)
SHARED = {"app": AppOption, "database": DatabaseOption, "format": FormatOption, "debug": DebugOption}


class Session:
    """One run of a command.

    Attributes:
        format: how data is printed.
        debug: whether tracebacks are shown.
    """

    def __init__(
        self,
        app: str | None = None,
        database: str | None = None,
        format: Format | None = None,  # noqa: A002 - the option's name
        *,
        debug: bool | None = False,
    ) -> None:
        self._app = app
        self._database = database or os.environ.get(DATABASE_VARIABLE)
        self.format = format or Format.TABLE
        self.debug = bool(debug)

    @cached_property
    def named(self) -> Any:
        """What was named: an application, or an inbox or outbox that stands alone."""
        return load_declared(find_application(self._app))

    @cached_property
    def declared(self) -> Application | AsyncApplication:
        """The application as its module declares it, with the database that was asked for."""
        declared = self._expect("an Application")
        if self._database:
            _sync(declared).parts.use_database(self._database)
        return declared

    @property
    def inbox(self) -> Inbox:
        """The application's, or one that was named itself."""
        if isinstance(self.named, Inbox):
            return self._alone(self.named)
        self._expect("an Application or an Inbox")
        return self.application.inbox

    @property
    def outbox(self) -> Outbox:
        """The application's, or one that was named itself."""
        if isinstance(self.named, Outbox):
            return self._alone(self.named)
        self._expect("an Application or an Outbox")
        return self.application.outbox

    @property
    def parts_of_outbox(self) -> Parts | None:
        """Those of the application whose outbox it is; None for an Outbox that stands alone."""
        if isinstance(self.named, Outbox):
            return None
        self._expect("an Application or an Outbox")
        return self.application.parts

    def _expect(self, expected: str) -> Application | AsyncApplication:
        return expect_application(find_application(self._app), self.named, expected)

    def _alone(self, found: Alone) -> Alone:
        if self._database:
            kind = type(found).__name__
            usage_error(
                f"--database, {DATABASE_VARIABLE}: expected none, since an {kind} has its own, got {self._database!r}"
            )
        return found

    @property
    def has_database(self) -> bool:
        """Whether a database was named outright."""
        return bool(self._database)

    @property
    def environment(self) -> dict[str, str]:
        """What lets another process find the same application and database."""
        named = {APP_VARIABLE: self._app, DATABASE_VARIABLE: self._database}
        return {key: value for key, value in named.items() if value}

    @property
    def application(self) -> Application:
        """The application; of an async one, its sync core."""
        return _sync(self.declared)

    def close(self) -> None:
        """Lets go of the database, if it was opened."""
        if "declared" in vars(self):
            self.application.close()
        elif "named" in vars(self) and isinstance(self.named, Inbox | Outbox):
            self.named.close()


def _sync(declared: Application | AsyncApplication) -> Application:
    return declared if isinstance(declared, Application) else declared.sync


def command(group: typer.Typer, name: str, *, example: str, **options: Any) -> Callable[[Callable[..., None]], Any]:
    """Makes a function a command: its first parameter is the `Session`; the shared options are added to its own.

    Args:
        group: where the command goes.
        name: how it is called.
        example: a line to type, for the help.
        options: as for `typer.Typer.command`.
    """

    def register(function: Callable[..., None]) -> Any:
        @functools.wraps(function)
        def run(ctx: typer.Context, **values: Any) -> None:
            session = Session(**chosen(ctx, {key: values.pop(key) for key in SHARED}))
            with _Guard(session):
                function(session, **values)

        own = list(inspect.signature(function).parameters.values())[1:]
        _set_signature(run, [*own, *_shared_parameters()])
        described: dict[str, Any] = {
            "help": _paragraphs(function),
            "epilog": f"[bold]Example:[/bold]  {escape(example)}",
        }
        return group.command(name, cls=PlainCommand, **described, **options)(run)

    return register


def _paragraphs(function: Callable[..., None]) -> str:
    """The docstring as help: each paragraph in one line, for the terminal to wrap."""
    text = inspect.getdoc(function) or ""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def usage_error(message: str) -> NoReturn:
    """Ends with exit code 2.

    Raises:
        BadParameter: always.
    """
    raise typer.BadParameter(message)


def warn(message: str, *, style: str = "yellow") -> None:
    """Says something beside the data, on stderr."""
    error_console().print(message, style=style, markup=False, soft_wrap=True)


def _shared_parameters() -> list[inspect.Parameter]:
    return [
        inspect.Parameter(
            key, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=False if key == "debug" else None
        )
        for key, kind in SHARED.items()
    ]


def _set_signature(function: Any, parameters: list[inspect.Parameter]) -> None:
    context = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    named = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in parameters]
    function.__signature__ = inspect.Signature([context, *named])
    function.__annotations__ = {each.name: each.annotation for each in [context, *named]}


def chosen(ctx: typer.Context, given: dict[str, Any]) -> dict[str, Any]:
    """The shared options given here, else those given before a name further left."""
    before: dict[str, Any] = ctx.obj or {}
    return {key: value or before.get(key) for key, value in given.items()}


class _Guard:
    """Closes the application at the end, and turns what can go wrong with it into one sentence and exit code 1."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def __enter__(self) -> None:
        return None

    def __exit__(self, _type: object, error: BaseException | None, _trace: object) -> None:
        self._session.close()
        unwritten = _flush()
        if isinstance(error or unwritten, BrokenPipeError):  # whoever read our output has seen enough, as `head` does
            _discard_output()
            raise typer.Exit(0)
        if self._session.debug and error is not None:
            return
        error = error or unwritten
        if isinstance(error, EventfoldError | OSError):
            warn(f"error: {error}", style="red")
            raise typer.Exit(1) from None
        if isinstance(error, KeyboardInterrupt):
            warn("interrupted", style="red")
            raise typer.Exit(1) from None


def _flush() -> OSError | None:
    """What keeps the output from its reader, if anything does."""
    try:
        sys.stdout.flush()
    except OSError as error:
        _discard_output()
        return error
    return None


def _discard_output() -> None:
    """Nothing may be flushed any more: the interpreter would try once more at its end, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
