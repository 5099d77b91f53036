"""The shop of `shop.py`, kept in Elasticsearch: one projection beside a SQL table, the other one alone."""

from typing import Any

from eventfold import ElasticsearchIndex, EventStore, SqlTable
from projections import BoundProjection, Engine
from projections.track import Track
from tests.projections.shop import stock, straight, totals


def searched(url: str, name: str, **options: Any) -> list[BoundProjection[Any]]:
    """Both projections with their targets.

    Args:
        url: of the server, or of a proxy before it.
        name: the indices' names begin with it.
        options: of the targets in Elasticsearch.
    """
    return [
        stock.into(SqlTable("stock"), ElasticsearchIndex(f"{name}-stock", url=url, **options)),
        totals.into(ElasticsearchIndex(f"{name}-totals", url=url, **options)),
    ]


def open_searched(store: EventStore, url: str, name: str, *, batch_size: int = 5000, **options: Any) -> Engine:
    return Engine(store, searched(url, name, **options), batch_size=batch_size)


def assert_tracks_straight(store: EventStore, engine: Engine) -> None:
    """The live rows in every target equal the straight fold of the whole log."""
    for track in engine.tracks:
        assert position_of_track(track) == store.head()
        assert rows_of_track(track) == straight(track.projection, store.read_log()), track.name


def rows_of_track(track: Track) -> dict[Any, Any]:
    key = track.projection.model.key.name
    live = next(each.number for each in track.target.generations() if each.state == "live")
    with track.target.rows(live) as rows:
        return {getattr(row, key): row for row in rows}


def position_of_track(track: Track) -> int:
    return next((each.position for each in track.target.generations() if each.state == "live"), 0)
