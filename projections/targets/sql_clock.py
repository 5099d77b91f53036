"""The database's clock, which all its workers share."""


def now_us(dialect: str) -> str:
    """SQL for the present moment: microseconds since 1970 UTC; on SQLite in steps of a millisecond."""
    if dialect == "sqlite":
        return "(CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000)"
    return "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
