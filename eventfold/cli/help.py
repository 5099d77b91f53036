"""How `--help` shows options."""

from typing import Any

from typer.core import TyperCommand, TyperGroup


class PlainCommand(TyperCommand):
    """A command whose help names no kind of value behind a flag, which takes none."""

    def get_params(self, ctx: Any) -> Any:
        """Its parameters."""
        return _without_kinds_of_flags(super().get_params(ctx))


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
