"""Completes the names that an application declares, when the shell asks for them."""

from collections.abc import Callable, Iterable

import typer

from eventfold.cli.session import Session
from eventfold.parts import Parts

Completer = Callable[[typer.Context, str], list[str]]


def _completer(names_in: Callable[[Parts], Iterable[str]]) -> Completer:
    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        try:
            parts = Session(ctx.params.get("app")).application.parts
        except Exception:  # noqa: BLE001 - whatever is wrong, a shell in the middle of a line is no place to say so
            return []
        return [name for name in names_in(parts) if name.startswith(incomplete)]

    return complete


command_names = _completer(lambda parts: parts.commands)
aggregate_names = _completer(lambda parts: [each.__name__ for each in parts.aggregates])
model_names = _completer(
    lambda parts: [
        *[each.projection.model.cls.__name__ for each in parts.projections],
        *[each.name for each in parts.views],
    ]
)
reaction_names = _completer(lambda parts: [each.name for each in parts.reactions])
projection_names = _completer(lambda parts: [each.projection.name for each in parts.projections])
view_names = _completer(lambda parts: [each.name for each in parts.views])
