"""The shop with its read models in another database than the log's."""

from eventfold import Application, SqlTable
from tests.eventfold.cli.shop import PARTS, orders, sold

app = Application(
    "sqlite:///shop.db",
    **{
        **PARTS,
        "views": [],
        "projections": [each.into(SqlTable(each.name, url="${SHOP_REPORTS}")) for each in (orders, sold)],
    },
)
