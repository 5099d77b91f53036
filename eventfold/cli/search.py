"""`eventfold search`: the rows of a read model in which a text is found."""

from typing import Annotated, Any

import typer

from eventfold.cli.columns import ColumnsOption, chosen_fields, columns_of, row_as_dict
from eventfold.cli.completion import model_names
from eventfold.cli.output import show_rows
from eventfold.cli.paging import LimitOption, warn_of_more
from eventfold.cli.query import condition_of_text, warn_if_behind
from eventfold.cli.session import Session, command, usage_error
from eventfold.cli.table import Column, number
from eventstore.token import token_of
from projections.model import model_of


def add_to(app: typer.Typer, panel: str) -> None:
    """Adds the command."""
    example = 'eventfold search Customer "wholesale london" --field name^2 --fuzziness auto'
    command(app, "search", example=example, rich_help_panel=panel)(search)


def search(
    session: Session,
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Its class name, or its projection's.", autocompletion=model_names)
    ],
    text: Annotated[str, typer.Argument(metavar="TEXT", help="Words; the more of them a row has, the better.")],
    *,
    field: Annotated[
        list[str] | None,
        typer.Option(metavar="FIELD", help="Search in it; FIELD^2 counts twice; several: in each of them."),
    ] = None,
    fuzziness: Annotated[
        str, typer.Option(metavar="LETTERS", help="How many letters of a word may differ: 0, 1, 2 or auto.")
    ] = "0",
    highlight: Annotated[bool, typer.Option("--highlight", help="Show where it was found.")] = False,
    where: Annotated[
        list[str] | None, typer.Option(metavar="CONDITION", help="Only rows for which it holds, as for `query`.")
    ] = None,
    columns: ColumnsOption = None,
    limit: LimitOption = 20,
    page_after: Annotated[str | None, typer.Option(metavar="CURSOR", help="The page after this one.")] = None,
    after: Annotated[
        str | None, typer.Option(metavar="TOKEN", help="Wait until it contains the write of this receipt.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Wait until it contains all that is in the log.")] = False,
) -> None:
    """Search a read model that is kept in Elasticsearch: the best hits first.

    Without --after or --fresh it shows the rows as they are, and says if they are behind the log.
    """
    app = session.application
    cls: Any = app.parts.model(model)
    known = model_of(cls)
    fields = chosen_fields(known, columns)
    found = app.query(cls).search(text, fields=field or (), fuzziness=_fuzziness(fuzziness), highlight=highlight)
    if fresh:
        after = token_of(app.store.head())
    elif after is None:
        warn_if_behind(app, found.track)
    for condition in where or []:
        found = found.where(**condition_of_text(condition, known))
    if not limit:
        usage_error("--limit: expected at least 1: most rows fit a little, so that all of them say little")
    page = found.page(cursor=page_after, size=limit, after=after)
    rows = [{"score": hit.score, **row_as_dict(hit.row, fields)} for hit in page.items]
    shown = [number("score"), *columns_of(fields)]
    if highlight:
        rows = [{**row, "highlights": dict(hit.highlights)} for row, hit in zip(rows, page.items, strict=True)]
        shown.append(Column("highlights"))
    show_rows(rows, shown, session.format, empty="nothing was found")
    if page.next is not None:
        warn_of_more(f"--page-after {page.next}")


def _fuzziness(text: str) -> Any:
    return int(text) if text.isdecimal() else text
