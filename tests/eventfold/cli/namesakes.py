"""The shop with two targets of one name for one of its read models."""

from eventfold import Application, SqlTable
from tests.eventfold.cli.shop import PARTS, orders
from tests.projections.notebook import Notebook

app = Application(
    "sqlite:///shop.db",
    **{**PARTS, "views": [], "projections": [orders.into(SqlTable("orders"), Notebook().target("orders"))]},
)
