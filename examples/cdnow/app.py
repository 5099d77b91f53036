"""The application: in `cdnow.db`, unless the environment variable EVENTFOLD_DATABASE names another database."""

import os

from eventfold import Application, SqlTable
from examples.cdnow.customer import grant_tier, record_purchase
from examples.cdnow.read_models import customers, monthly_revenue

DEFAULT_DATABASE = "sqlite:///cdnow.db"
SCHEMA = "eventfold_cdnow"
"""On PostgreSQL, a schema of its own, beside whatever else the database holds."""


def database_url() -> str:
    return os.environ.get("EVENTFOLD_DATABASE") or DEFAULT_DATABASE


def cdnow(database: str) -> Application:
    """The application over a database, whose tables are made on first use."""
    return Application(
        database,
        handlers=[record_purchase, grant_tier],
        projections=[
            customers.into(SqlTable("customers", indexes=["tier", "cents"])),
            monthly_revenue.into(SqlTable("monthly_revenue")),
        ],
        name="cdnow",
        migrate=True,
        schema=SCHEMA,
    )


app = cdnow(database_url())
