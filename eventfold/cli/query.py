"""`eventfold query`: the rows of a read model."""

import re
from typing import Annotated, Any

import typer

from eventfold.application import Application
from eventfold.cli.columns import ColumnsOption, chosen_fields, columns_of, row_as_dict
from eventfold.cli.completion import model_names
from eventfold.cli.fields import read_value
from eventfold.cli.moments import AtOption, OccurredOption, PositionOption, bounds_of
from eventfold.cli.output import show_record, show_rows
from eventfold.cli.paging import LimitOption, warn_of_more
from eventfold.cli.session import Session, command, usage_error, warn
from eventstore import NotFound
from eventstore.token import token_of
from projections import ModelQuery, ViewQuery, status_of
from projections.model import Field, Model
from projections.track import Track

OPERATORS = {"=": "", "==": "", "!=": "__ne", "<": "__lt", "<=": "__lte", ">": "__gt", ">=": "__gte", "^=": "__prefix"}
_COMPARISON = re.compile(r"\s*(\w+)\s*(==|!=|<=|>=|\^=|=|<|>)\s*(.*?)\s*", re.DOTALL)
_MEMBER = re.compile(r"\s*(\w+)\s+in\s+(.*?)\s*", re.DOTALL)
_NULL = re.compile(r"\s*(\w+)\s+is\s+(not\s+)?null\s*")


def add_to(app: typer.Typer, panel: str) -> None:
    """Adds the command."""
    example = 'eventfold query Balance --where "amount>=100" --order -amount --limit 10'
    command(app, "query", example=example, rich_help_panel=panel)(query)


def query(
    session: Session,
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="Its class name, or its projection's, or a view's.", autocompletion=model_names
        ),
    ],
    key: Annotated[
        str | None, typer.Argument(metavar="KEY", help="Only the row under this key.", show_default=False)
    ] = None,
    *,
    where: Annotated[
        list[str] | None, typer.Option(metavar="CONDITION", help="Only rows for which it holds; several: all hold.")
    ] = None,
    order: Annotated[
        list[str] | None, typer.Option(metavar="FIELD", help="Sort by it; -FIELD the greatest first.")
    ] = None,
    columns: ColumnsOption = None,
    limit: LimitOption = 100,
    page_after: Annotated[str | None, typer.Option(metavar="CURSOR", help="The page after this one.")] = None,
    count: Annotated[bool, typer.Option("--count", help="Only how many rows there are.")] = False,
    after: Annotated[
        str | None, typer.Option(metavar="TOKEN", help="Wait until it contains the write of this receipt.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Wait until it contains all that is in the log.")] = False,
    position: PositionOption = None,
    at: AtOption = None,
    occurred: OccurredOption = None,
) -> None:
    """Show rows of a read model, now or as they were.

    CONDITION compares a field: amount>=100, owner=Ada, owner!=Ada, name^=A (begins with), state in open,new, paid_at is
    null, paid_at is not null. Without --after or --fresh it shows the rows as they are, and says if they are behind the log.

    --position, --at and --occurred show what was known of a moment in the past, or had happened by then; a plain date means
    the end of that day. The rows are folded from the log for that, in memory: of one KEY only the events that touch it.
    """
    app = session.application
    chosen = app.parts.query_named(model)
    bounds = bounds_of(None, position, at, occurred)
    if bounds and (fresh or after):
        usage_error("a moment in the past waits for nothing; leave out --fresh and --after")
    if fresh:
        after = token_of(app.store.head())
    known = chosen.model
    fields = chosen_fields(known, columns)
    if bounds:
        chosen = chosen.as_of(**bounds)
    elif after is None:
        for track in chosen.view.tracks if isinstance(chosen, ViewQuery) else [chosen.track]:
            warn_if_behind(app, track)
    if key is not None:
        if where or order or page_after or count:
            usage_error("KEY names one row; leave out --where, --order, --page-after and --count")
        _show_one(session, chosen, known, fields, key, after)
        return
    for condition in where or []:
        chosen = chosen.where(**condition_of_text(condition, known))
    chosen = chosen.order_by(*order or [])
    if count:
        show_record({"count": chosen.count(after=after)}, session.format)
    else:
        _show_page(session, chosen, fields, limit, page_after, after)


def _show_one(
    session: Session, chosen: ModelQuery[Any], model: Model, fields: list[Field], text: str, after: str | None
) -> None:
    row = chosen.get(read_value(text, model.key.type), after=after)
    if row is None:
        raise NotFound(f"{model.cls.__name__}: there is no row under the key {text!r}")
    show_record(row_as_dict(row, fields), session.format)


def _show_page(
    session: Session,
    chosen: ModelQuery[Any],
    fields: list[Field],
    limit: int,
    page_after: str | None,
    after: str | None,
) -> None:
    if limit and isinstance(chosen, ViewQuery) and not chosen.view.declared.unique:
        rows, following = chosen.limit(limit).all(after=after), None
    elif limit:
        page = chosen.page(cursor=page_after, size=limit, after=after)
        rows, following = page.items, page.next
    elif page_after is None:
        rows, following = chosen.all(after=after), None
    else:
        usage_error("--page-after needs the size of a page: give --limit")
    found = [row_as_dict(each, fields) for each in rows]
    show_rows(found, columns_of(fields), session.format, empty="no rows")
    if following is not None:
        warn_of_more(f"--page-after {following}")


def condition_of_text(text: str, model: Model) -> dict[str, Any]:
    """What `where` takes, of a condition such as amount>=100."""
    if match := _NULL.fullmatch(text):
        return {f"{match[1]}__null": match[2] is None}
    if match := _MEMBER.fullmatch(text):
        return {f"{match[1]}__in": [_value(each.strip(), match[1], model) for each in match[2].split(",")]}
    match = _COMPARISON.fullmatch(text)
    if match is None:
        usage_error(f"--where: expected a condition such as amount>=100, got {text!r}")
    return {f"{match[1]}{OPERATORS[match[2]]}": _value(match[3], match[1], model)}


def _value(text: str, name: str, model: Model) -> Any:
    field = model.field(name)
    return text if field is None else read_value(text, field.type)


def warn_if_behind(app: Application, track: Track) -> None:
    """Says so on stderr where the rows do not contain everything that is in the log."""
    status = status_of(app.store, track)
    if status.state == "parked":
        warn(str(status.error))
    elif status.error is not None:
        warn(f"projection {status.projection} stands still: {status.error}")
    elif status.state == "paused":
        warn(
            f"projection {status.projection} is paused; `eventfold projections resume {status.projection}` lets it go on"
        )
    elif status.lag:
        warn(
            f"projection {status.projection} is {status.lag} positions behind the log: `eventfold worker run` keeps it up "
            "to date, --fresh waits until it is"
        )
