"""The application: in `cdnow.db`, unless the environment variable EVENTFOLD_DATABASE names another database.

Where ELASTICSEARCH_URL names a server, the customers are kept there too, to be searched.
"""

import os

from eventfold import Application, ElasticsearchIndex, SqlTable
from examples.cdnow.customer import grant_tier, record_purchase
from examples.cdnow.read_models import cohorts, customers, monthly_revenue

DEFAULT_DATABASE = "sqlite:///cdnow.db"
SCHEMA = "eventfold_cdnow"
"""On PostgreSQL, a schema of its own, beside whatever else the database holds."""
INDEX = "eventfold-cdnow-customers"
"""In Elasticsearch, what other programs call the customers."""


def database_url() -> str:
    return os.environ.get("EVENTFOLD_DATABASE") or DEFAULT_DATABASE


def search_url() -> str | None:
    return os.environ.get("ELASTICSEARCH_URL") or None


def cdnow(database: str, search: str | None = None) -> Application:
    """The application over a database, whose tables are made on first use.

    Args:
        database: its URL.
        search: that of an Elasticsearch, if the customers are to be there too.
    """
    table = SqlTable("customers", indexes=["tier", "band", "cents"])
    in_english = {"profile": {"type": "text", "analyzer": "english"}}
    indexes = [ElasticsearchIndex(INDEX, url=search, fields=in_english)] if search else []
    return Application(
        database,
        handlers=[record_purchase, grant_tier],
        projections=[
            customers.into(table, *indexes),
            monthly_revenue.into(SqlTable("monthly_revenue")),
            cohorts.into(SqlTable("cohorts")),
        ],
        name="cdnow",
        migrate=True,
        schema=SCHEMA,
    )


app = cdnow(database_url(), search_url())
