"""A noun of the command line: a group of commands, which take the shared options before their names as well."""

import typer

from eventfold.cli.help import PlainGroup
from eventfold.cli.session import AppOption, DatabaseOption, DebugOption, FormatOption, chosen


def new_noun() -> typer.Typer:
    """A group without commands yet."""
    group = typer.Typer(cls=PlainGroup, no_args_is_help=True)
    group.callback()(_take_shared)
    return group


def _take_shared(
    ctx: typer.Context,
    *,
    app: AppOption = None,
    database: DatabaseOption = None,
    format: FormatOption = None,  # noqa: A002 - the option's name
    debug: DebugOption = False,
) -> None:
    ctx.obj = chosen(ctx, {"app": app, "database": database, "format": format, "debug": debug})
