"""How `--help` shows options, and what is said of wrong ones."""

from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from eventfold.cli.wording import plain_words


class PlainCommand(TyperCommand):
    """A command whose help names no kind of value behind a flag, which takes none, and whose errors are in plain words."""

    def get_params(self, ctx: Any) -> Any:
        """Its parameters."""
        return _without_kinds_of_flags(super().get_params(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Reads its arguments."""
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            error.message = plain_words(error.message)
            raise


class PlainGroup(TyperGroup):
    """The same for a group of commands."""

    def get_params(self, ctx: Any) -> Any:
        """Its parameters."""
        return _without_kinds_of_flags(super().get_params(ctx))


def _without_kinds_of_flags(parameters: Any) -> Any:
    for each in parameters:
        if getattr(each, "is_flag", False):
            each.metavar = ""
    return parameters
