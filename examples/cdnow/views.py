"""Reports that the database computes from the read models' rows."""

from eventfold import ReportingView, Struct
from examples.cdnow.customer import Tier
from examples.cdnow.read_models import cohorts, customers


class TierRevenue(Struct, frozen=True):
    tier: Tier
    customers: int
    orders: int
    cents: int


class Retention(Struct, frozen=True):
    """A cell of the table of cohorts, with its share."""

    cell: str
    cohort: str
    months_since: int
    customers: int
    percent: float  # of all customers of the cohort


revenue_by_tier = ReportingView(
    "revenue_by_tier",
    """
    SELECT tier, count(*) AS customers, CAST(sum(purchases) AS bigint) AS orders, CAST(sum(cents) AS bigint) AS cents
    FROM {customers}
    GROUP BY tier
    """,
    over=[customers],
    model=TierRevenue,
)

retention = ReportingView(
    "retention",
    """
    SELECT later.cell, later.cohort, later.months_since, later.customers,
        CAST(round(100.0 * later.customers / begun.customers, 1) AS double precision) AS percent
    FROM {cohorts} later
    JOIN {cohorts} begun ON begun.cohort = later.cohort AND begun.months_since = 0
    """,
    over=[cohorts],
    model=Retention,
)
