"""Shares of the log: each stream in one of them, whoever leaves out the others, the database or the reader."""

import pytest

from eventstore import open_store
from eventstore.backend import LogFilter
from eventstore.codec import codec_of
from eventstore.event import event_type
from eventstore.log_reader import LogReader
from eventstore.query import Query, QueryItem
from eventstore.share import id_of, share_of
from eventstore.testing.contract.vocabulary import Deposited, Withdrawn

STREAMS = [
    "account-1",
    "account-2",
    "other-1",
    "account-a-b",
    "bare",
    "account-é🎈",
    "x-y z",
    "account-%_'",
    "w-3",
    "w-4",
]


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgresql)])
def url(request: pytest.FixtureRequest) -> str:
    if request.param == "memory":
        return "memory://"
    chosen: str = request.getfixturevalue(f"{request.param}_url")
    return chosen


@pytest.mark.parametrize("of", [1, 2, 3, 7])
@pytest.mark.parametrize("size", [1, 4, 1000])
@pytest.mark.parametrize("category", [None, "account"])
def test_the_shares_of_the_log_are_read_apart_and_make_up_the_whole(
    url: str, of: int, size: int, category: str | None
) -> None:
    query = Query((QueryItem((event_type(Deposited),)),))
    with open_store(url, events=[Deposited, Withdrawn], migrate=True) as store:
        for i, stream in enumerate(STREAMS * 2):
            store.append(stream, [Deposited(i), Withdrawn(1)])
        head, shares = store.head(), list[list[str]]()
        for number in range(of):
            reader = LogReader(
                store.backend, codec_of((Deposited,)), LogFilter(category, None, query, share=(number, of))
            )
            position, found = 0, list[str]()
            while position < head:
                rows, position = reader.page(position, head, size)
                found += [each.stream for each in reader.decode(rows)]
            shares.append(found)

        wanted = [each.stream for each in store.read_log(wanted=LogFilter(category, query=query))]
    assert sorted(stream for share in shares for stream in share) == sorted(wanted)
    for number, share in enumerate(shares):
        assert share == [stream for stream in wanted if share_of(id_of(stream), of) == number]
