"""What the demo shows: tables of the read models, and what was so at three moments."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from eventfold import Application
from examples.cdnow.customer import Customer, Tier
from examples.cdnow.profile import dollars
from examples.cdnow.read_models import CustomerRow, MonthlyRevenue

THREE_DAYS = date(1997, 2, 14), date(1997, 12, 31), date(1998, 6, 15)


def end_of(day: date) -> datetime:
    """The last moment of a day."""
    return datetime.combine(day, time.max, UTC)


def revenue_as_of(app: Application, day: date) -> list[MonthlyRevenue]:
    """`monthly_revenue` as it was at the end of a day."""
    return app.query(MonthlyRevenue).as_of(occurred=end_of(day)).all()


def show_months(console: Console, months: Sequence[MonthlyRevenue]) -> None:
    table = _table("monthly_revenue", "month", ">orders", ">CDs", ">revenue")
    for each in months:
        table.add_row(each.month, f"{each.orders:,}", f"{each.cds:,}", dollars(each.cents))
    orders, cds, cents = (sum(getattr(each, name) for each in months) for name in ("orders", "cds", "cents"))
    table.add_section()
    table.add_row("all", f"{orders:,}", f"{cds:,}", dollars(cents), style="bold")
    console.print(table)


def show_revenue_as_of(console: Console, app: Application) -> None:
    table = _table(
        "monthly_revenue as of three days", "as of", ">months", ">orders", ">revenue", ">the last month so far"
    )
    for day in THREE_DAYS:
        months = revenue_as_of(app, day)
        orders, cents = sum(each.orders for each in months), sum(each.cents for each in months)
        so_far = dollars(months[-1].cents) if months else "-"
        table.add_row(str(day), str(len(months)), f"{orders:,}", dollars(cents), so_far)
    console.print(table)


def show_customers(console: Console, app: Application) -> None:
    tiers = _table("customers, by tier", "tier", ">customers")
    for tier in reversed(Tier):
        tiers.add_row(tier, f"{app.query(CustomerRow).where(tier=tier).count():,}")
    tiers.add_section()
    tiers.add_row("all", f"{app.query(CustomerRow).count():,}", style="bold")
    console.print(tiers)
    best = _table("customers, the best five", "customer", "tier", ">orders", ">CDs", ">spent", "first", "last")
    for each in app.query(CustomerRow).order_by("-cents").limit(5).all():
        days = (str(each.first_purchase), str(each.last_purchase))
        best.add_row(each.customer_id, each.tier, str(each.purchases), str(each.cds), dollars(each.cents), *days)
    console.print(best)


def show_three_moments(console: Console, app: Application, customer_id: str) -> None:
    """A customer after the first purchase, at the end of 1997 and now; what changed is green."""
    moments = {
        "after the first purchase": app.load(Customer, customer_id, at_version=1),
        "at the end of 1997": app.load(Customer, customer_id, occurred=end_of(date(1997, 12, 31))),
        "now": app.load(Customer, customer_id),
    }
    table = _table(f"customer {customer_id} at three moments", "field", *(f">{each}" for each in moments))
    states = [msgspec.to_builtins(each) for each in moments.values()]
    for name in Customer.__struct_fields__:
        table.add_row(name, *_changes([each[name] for each in states]))
    console.print(table)


def _changes(values: list[Any]) -> list[str]:
    before = [values[0], *values]
    return [
        str(value) if value == old else f"[green]{value}[/green]" for old, value in zip(before, values, strict=False)
    ]


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for each in columns:
        table.add_column(each.removeprefix(">"), justify="right" if each.startswith(">") else "left")
    return table
