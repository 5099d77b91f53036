"""What led to an event, and what it led to."""

from collections.abc import Sequence

import pytest

from eventstore.causation import BATCH, Link, causes, effects
from eventstore.errors import InvalidEvent, InvalidInput, NotFound
from eventstore.identifier import new_id, new_ids
from eventstore.new_event import NewEvent
from eventstore.store import EventStore
from eventstore.testing.contract.base import StoreCases
from eventstore.testing.contract.vocabulary import Deposited


class Causing(StoreCases):
    """An order that a command placed; it led to a payment and a parcel, and the payment to a receipt and a mail."""

    def test_the_causes_of_an_event_go_up_to_the_message_that_is_no_event(self, store: EventStore) -> None:
        order, payment, _, _, mail = _given(store)

        found = causes(store, mail)

        assert _shape(found) == [(0, mail), (1, payment), (2, order), (3, "command-1")]
        assert [each.recorded is None for each in found] == [False, False, False, True]

    def test_the_effects_of_an_event_each_stand_before_their_own(self, store: EventStore) -> None:
        order, payment, parcel, receipt, mail = _given(store)

        found = effects(store, order)

        assert _shape(found) == [(0, order), (1, payment), (2, receipt), (2, mail), (1, parcel)]
        assert all(each.recorded is not None and each.recorded.event_id == each.id for each in found)

    def test_the_effects_of_a_message_that_is_no_event_are_found(self, store: EventStore) -> None:
        order, *_ = _given(store)

        found = effects(store, "command-1")

        assert (len(found), _shape(found)[:2]) == (6, [(0, "command-1"), (1, order)])
        assert found[0].recorded is None

    def test_an_event_without_cause_or_effect_stands_alone(self, store: EventStore) -> None:
        [alone] = store.append("account-1", [Deposited(1)]).event_ids

        assert _shape(causes(store, alone)) == _shape(effects(store, alone)) == [(0, alone)]

    def test_both_end_at_the_depth_that_was_asked_for(self, store: EventStore) -> None:
        order, payment, parcel, _, mail = _given(store)

        assert _shape(causes(store, mail, max_depth=1)) == [(0, mail), (1, payment)]
        assert _shape(effects(store, order, max_depth=1)) == [(0, order), (1, payment), (1, parcel)]
        assert _shape(effects(store, order, max_depth=0)) == [(0, order)]

    def test_a_circle_is_gone_round_once(self, store: EventStore) -> None:
        first, second, third = new_ids(3)
        for each, cause in ((first, third), (second, first), (third, second)):
            store.append("account-1", [NewEvent(Deposited(1), event_id=each, causation_id=cause)])

        assert _shape(causes(store, first)) == [(0, first), (1, third), (2, second), (3, first)]
        assert _shape(effects(store, first)) == [(0, first), (1, second), (2, third), (3, first)]
        assert [each.again for each in causes(store, first)] == [False, False, False, True]
        assert [each.again for each in effects(store, first)] == [False, False, False, True]

    def test_an_event_that_names_itself_as_its_cause_is_no_endless_loop(self, store: EventStore) -> None:
        itself = new_id()
        store.append("account-1", [NewEvent(Deposited(1), event_id=itself, causation_id=itself)])

        assert _shape(causes(store, itself)) == _shape(effects(store, itself)) == [(0, itself), (1, itself)]

    def test_a_long_chain_is_followed_to_its_end(self, store: EventStore) -> None:
        ids = new_ids(300)
        chain = [
            NewEvent(Deposited(1), event_id=each, causation_id=cause)
            for each, cause in zip(ids, [None, *ids], strict=False)
        ]
        store.append("account-1", chain)

        assert _shape(effects(store, ids[0])) == list(enumerate(ids))
        assert _shape(causes(store, ids[-1])) == list(enumerate(reversed(ids)))

    def test_more_effects_than_are_looked_up_at_once_are_all_found(self, store: EventStore) -> None:
        [root] = store.append("account-1", [Deposited(1)]).event_ids
        middle = store.append("account-2", [NewEvent(Deposited(1), causation_id=root)] * (BATCH + 1)).event_ids
        leaves = [NewEvent(Deposited(1), causation_id=each) for each in (middle[0], middle[-1])]
        ends = store.append("account-3", leaves).event_ids

        found = _shape(effects(store, root))

        assert len(found) == BATCH + 4
        assert (found[2], found[-1]) == ((2, ends[0]), (2, ends[1]))

    @pytest.mark.parametrize("event_id", ["", "7", "order-1", "0199-x"])
    def test_what_is_no_event_id_is_refused(self, store: EventStore, event_id: str) -> None:
        with pytest.raises(InvalidEvent, match="event_id: expected a UUID"):
            causes(store, event_id)

    @pytest.mark.parametrize("message_id", ["", "a\nb", "\0", "\x1e", "\ud800", 7])
    def test_what_is_no_message_id_is_refused(self, store: EventStore, message_id: str) -> None:
        with pytest.raises(InvalidInput, match="message id"):
            effects(store, message_id)

    def test_what_no_event_has_or_names_is_not_found(self, store: EventStore) -> None:
        unknown = new_id()

        with pytest.raises(NotFound, match=unknown):
            causes(store, unknown)
        for each in (unknown, "command-9"):
            with pytest.raises(NotFound, match=each):
                effects(store, each)


def _given(store: EventStore) -> tuple[str, ...]:
    """The ids of the order, the payment, the parcel, the receipt and the mail."""
    order = _caused(store, "command-1")
    payment, parcel = _caused(store, order), _caused(store, order)
    return order, payment, parcel, _caused(store, payment), _caused(store, payment)


def _caused(store: EventStore, cause: str) -> str:
    [made] = store.append("account-1", [NewEvent(Deposited(1), causation_id=cause)]).event_ids
    return made


def _shape(links: Sequence[Link]) -> list[tuple[int, str]]:
    return [(each.depth, each.id) for each in links]
