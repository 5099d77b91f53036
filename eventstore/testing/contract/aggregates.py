"""Aggregates: the fold over a stream, now and as it was; and the object style over the same fold."""

from datetime import UTC, datetime, timedelta

import pytest

from eventstore.aggregate import Aggregate
from eventstore.errors import InvalidInput, InvalidStreamName, UnknownEventType, WrongExpectedVersion
from eventstore.loading import load, load_stream, moment
from eventstore.new_event import NewEvent
from eventstore.reading import PAGE
from eventstore.recording import Recording
from eventstore.store import EventStore
from eventstore.testing.contract.base import StoreCases, events
from eventstore.testing.contract.vocabulary import Account, Deposited, Renamed, Withdrawn


class Purse(Aggregate[Deposited], category="account"):
    """Declares fewer events than its streams hold."""

    deposits: int = 0

    def evolve(self, event: Deposited) -> "Purse":
        """Counts."""
        return Purse(self.deposits + 1)


class AccountObject(Recording[Account]):
    """The object style."""

    def deposit(self, amount: int) -> None:
        """Records a deposit."""
        self.record(Deposited(amount))


class Aggregates(StoreCases):
    """An account of a few events, beside another one."""

    def test_an_aggregate_is_folded_from_its_stream(self, store: EventStore) -> None:
        _given(store)

        loaded = load(store.backend, Account, "1")

        *_, last = store.read_stream("account-1")
        assert loaded.state == Account(balance=10 - 3 + 20, name="ada")
        assert (loaded.stream, loaded.version, loaded.position) == ("account-1", 4, last.position)

    def test_an_aggregate_without_events_has_its_initial_state(self, store: EventStore) -> None:
        _given(store)

        loaded = load(store.backend, Account, "9")

        assert (loaded.state, loaded.version, loaded.position) == (Account(), 0, 0)

    @pytest.mark.parametrize(
        ("version", "state"),
        [
            (0, Account()),
            (1, Account(10)),
            (2, Account(7)),
            (3, Account(7, "ada")),
            (4, Account(27, "ada")),
            (9, Account(27, "ada")),
        ],
    )
    def test_an_aggregate_as_it_was_at_a_version(self, store: EventStore, version: int, state: Account) -> None:
        _given(store)

        loaded = load(store.backend, Account, "1", moment(at_version=version))

        assert loaded.state == state
        assert loaded.version == min(version, 4)

    def test_an_aggregate_as_it_was_at_a_position(self, store: EventStore) -> None:
        _given(store)

        for recorded in store.read_log():
            loaded = load(store.backend, Account, "1", moment(position=recorded.position))
            wanted = [each for each in store.read_stream("account-1") if each.position <= recorded.position]
            assert loaded.version == len(wanted)
            assert loaded.position == wanted[-1].position
            assert loaded.state.balance == sum(_worth(each.event) for each in wanted)

    def test_an_aggregate_as_it_was_recorded_at_an_instant(self, store: EventStore) -> None:
        _given(store)

        for recorded in store.read_stream("account-1"):
            loaded = load(store.backend, Account, "1", moment(at=recorded.recorded_at))
            wanted = [each for each in store.read_stream("account-1") if each.recorded_at <= recorded.recorded_at]
            assert loaded.version == len(wanted)
            assert loaded.state.balance == sum(_worth(each.event) for each in wanted)
        before = next(store.read_log()).recorded_at - timedelta(microseconds=1)
        assert load(store.backend, Account, "1", moment(at=before)).state == Account()

    def test_an_aggregate_as_things_had_occurred_by_an_instant(self, store: EventStore) -> None:
        monday, tuesday, friday = (datetime(2024, 1, day, tzinfo=UTC) for day in (1, 2, 5))
        store.append("account-1", [NewEvent(Deposited(100), occurred_at=friday)])
        store.append("account-1", [NewEvent(Deposited(10), occurred_at=monday)])
        store.append("account-1", [NewEvent(Withdrawn(1), occurred_at=tuesday)])
        store.append("account-1", [Deposited(1000)])  # occurred when it was recorded, which is later

        def balance(occurred: datetime) -> int:
            return load(store.backend, Account, "1", moment(occurred=occurred)).state.balance

        assert balance(monday - timedelta(microseconds=1)) == 0
        assert balance(monday) == 10
        assert balance(tuesday) == 9
        assert balance(friday) == 109
        assert balance(datetime(9999, 1, 1, tzinfo=UTC)) == 1109

    def test_several_bounds_hold_together(self, store: EventStore) -> None:
        _given(store)
        second = list(store.read_stream("account-1"))[1]

        loaded = load(store.backend, Account, "1", moment(at_version=3, position=second.position))

        assert (loaded.version, loaded.state) == (2, Account(7))

    def test_what_was_known_at_one_instant_about_another_is_exact(self, store: EventStore) -> None:
        days = [datetime(2024, 1, day, tzinfo=UTC) for day in range(1, 8)]
        for amount, day in ((1, 5), (2, 1), (4, 3), (8, 5), (16, 0), (32, 6)):  # most of them late, each on its own day
            store.append("account-1", [NewEvent(Deposited(amount), occurred_at=days[day])])
        events = list(store.read_stream("account-1"))

        for known in [each.recorded_at for each in events]:
            for about in days:
                wanted = [each for each in events if each.recorded_at <= known and each.occurred_at <= about]
                loaded = load(store.backend, Account, "1", moment(at=known, occurred=about))
                assert loaded.state.balance == sum(_worth(each.event) for each in wanted)
                assert loaded.version == len(wanted)

    def test_a_stream_of_more_than_a_page_is_folded_whole(self, store: EventStore) -> None:
        store.append("account-1", [Deposited(1)] * (2 * PAGE + 1))

        assert load(store.backend, Account, "1").state.balance == 2 * PAGE + 1
        assert load(store.backend, Account, "1", moment(at_version=PAGE)).state.balance == PAGE
        assert load(store.backend, Account, "1", moment(at_version=PAGE + 1)).state.balance == PAGE + 1

    def test_a_stream_of_any_name_can_be_folded(self, store: EventStore) -> None:
        store.append("savings-1", [Deposited(5)])

        assert load_stream(store.backend, Account, "savings-1").state.balance == 5

    def test_an_event_that_the_aggregate_does_not_declare_is_an_error_that_names_it(self, store: EventStore) -> None:
        _given(store)

        with pytest.raises(UnknownEventType, match=r"'account-1' version 2 .*'Withdrawn'.*declares Deposited"):
            load(store.backend, Purse, "1")

    def test_an_undeclared_event_after_the_moment_does_not_matter(self, store: EventStore) -> None:
        _given(store)

        assert load(store.backend, Purse, "1", moment(at_version=1)).state == Purse(1)

    def test_an_id_that_makes_no_stream_name_is_refused(self, store: EventStore) -> None:
        for bad in ("", "x" * 300, "a\nb"):
            with pytest.raises(InvalidStreamName):
                load(store.backend, Account, bad)

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("at_version", -1),
            ("at_version", 2**63),
            ("position", "5"),
            ("at", "2024-01-01"),
            ("occurred", datetime(2024, 1, 1)),  # noqa: DTZ001 - the point
        ],
    )
    def test_a_moment_that_makes_no_sense_is_refused(self, field: str, value: object) -> None:
        with pytest.raises(InvalidInput, match=f"{field}:"):
            moment(**{field: value})  # type: ignore[arg-type]  # wrong on purpose

    def test_an_object_records_and_saves(self, store: EventStore) -> None:
        account = AccountObject.new("1")
        account.deposit(5)
        account.deposit(6)
        assert account.state.balance == 11
        assert account.recorded == (Deposited(5), Deposited(6))

        saved = account.save(store)

        assert saved is not None
        assert saved.versions == {"account-1": 2}
        assert account.version == 2
        assert len(account.recorded) == 0
        assert events(store.read_stream("account-1")) == [Deposited(5), Deposited(6)]

    def test_an_object_is_opened_as_it_stands_and_saved_again(self, store: EventStore) -> None:
        _given(store)
        account = AccountObject.open(store, "1")
        account.deposit(1)
        account.save(store)
        account.deposit(2)
        account.save(store)

        again = AccountObject.open(store, "1")
        assert (again.state, again.version) == (Account(30, "ada"), 6)

    def test_an_object_that_recorded_nothing_saves_nothing(self, store: EventStore) -> None:
        _given(store)
        head = store.head()

        assert AccountObject.open(store, "1").save(store) is None
        assert store.head() == head

    def test_an_object_that_was_overtaken_is_refused_and_keeps_what_it_recorded(self, store: EventStore) -> None:
        _given(store)
        account = AccountObject.open(store, "1")
        account.deposit(1)
        store.append("account-1", [Deposited(2)])

        with pytest.raises(WrongExpectedVersion, match="expected version 4, but it is at version 5"):
            account.save(store)

        assert account.recorded == (Deposited(1),)
        assert store.stream_version("account-1") == 5

    def test_a_new_object_on_a_stream_that_exists_is_refused(self, store: EventStore) -> None:
        _given(store)
        account = AccountObject.new("1")
        account.deposit(1)

        with pytest.raises(WrongExpectedVersion):
            account.save(store)


def _given(store: EventStore) -> None:
    store.append("account-1", [Deposited(10)])
    store.append("account-2", [Deposited(500)])
    store.append("account-1", [Withdrawn(3), Renamed("ada")])
    store.append("account-2", [Withdrawn(1)])
    store.append("account-1", [Deposited(20)])


def _worth(event: object) -> int:
    match event:
        case Deposited(amount):
            return amount
        case Withdrawn(amount):
            return -amount
        case _:
            return 0
