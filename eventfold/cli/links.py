"""Messages that caused each other: as a tree for people, and as rows for programs."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer
from rich.text import Text
from rich.tree import Tree

from eventfold.cli.output import Format, put, show_rows
from eventfold.cli.session import Session, warn
from eventfold.cli.steps import event_fields, headline
from eventstore import Link

DepthOption = Annotated[
    int, typer.Option("--depth", metavar="NUMBER", min=0, help="At most so many steps away; 0 for all.")
]


def asked_depth(depth: int) -> int | None:
    """One more than is shown, to know whether there are more."""
    return depth + 1 if depth else None


def show_links(session: Session, links: Sequence[Link], depth: int, limit: int, *, upwards: bool) -> None:
    """Prints the links, but none deeper than `depth` and no more than `limit` (0: all of them).

    Args:
        session: the run.
        links: each cause after its effect, or each effect after its cause.
        depth: how many steps away at most.
        limit: how many at most.
        upwards: whether they go up, from an effect to its causes: a tree for people has its root on top all the same.
    """
    near = [each for each in links if not depth or each.depth <= depth]
    found = near[: limit or None]
    if session.format is Format.TABLE:
        ordered = list(reversed(found)) if upwards else found
        put(_tree(ordered, asked=0))
    else:
        show_rows(map(_row, found), [], session.format)
    if len(near) < len(links):
        warn("it goes on beyond that: see more with a greater --depth, or all with --depth 0")
    if len(found) < len(near):
        warn(f"{len(near) - len(found)} more are not shown: see all with --limit 0")


def _row(link: Link) -> dict[str, Any]:
    return {"depth": link.depth, "id": link.id} | event_fields(link.recorded) | {"again": link.again}


def _tree(links: Iterable[Link], asked: int) -> Tree:
    """Hangs each link under the last one that is a step nearer to the top."""
    first, *rest = links
    top = Tree(_label(first, asked), guide_style="dim")
    way = [top]
    for link in rest:
        step = abs(link.depth - first.depth)
        del way[step:]
        way.append(way[-1].add(_label(link, asked)))
    return top


def _label(link: Link, asked: int) -> Text:
    if link.recorded is None:
        return Text.assemble(("not an event of this log", "yellow"), "\n", (link.id, "dim"))
    text = headline(link.recorded, stream=True)
    if link.depth == asked:
        text.stylize("underline")
    if link.again:
        text.append("  again: a circle", "yellow")
    return Text.assemble(text, "\n", (link.id, "dim"))
