"""What the demo shows: tables of both read models, and a customer at three moments."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from eventfold import Application
from examples.cdnow.customer import Customer, Tier
from examples.cdnow.read_models import CustomerRow, MonthlyRevenue

END_OF_1997 = datetime(1997, 12, 31, 23, 59, 59, tzinfo=UTC)


def dollars(cents: int) -> str:
    """1177 as `$11.77`."""
    return f"${cents // 100:,}.{cents % 100:02}"


def show_months(console: Console, months: Sequence[MonthlyRevenue]) -> None:
    table = _table("monthly_revenue", "month", ">orders", ">CDs", ">revenue")
    for each in months:
        table.add_row(each.month, f"{each.orders:,}", f"{each.cds:,}", dollars(each.cents))
    orders, cds, cents = (sum(getattr(each, name) for each in months) for name in ("orders", "cds", "cents"))
    table.add_section()
    table.add_row("all", f"{orders:,}", f"{cds:,}", dollars(cents), style="bold")
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
        "at the end of 1997": app.load(Customer, customer_id, occurred=END_OF_1997),
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
