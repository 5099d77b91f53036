"""What of a stream's messages waits in the table."""

from commands import MessageRefused, NewMessage, Outbox
from commands.outbox.policy import RelayPolicy
from commands.outbox.relaying import judge
from commands.outbox.waiting import WaitingRows
from tests.commands.outbox.shop import Numbered


def test_what_another_stream_has_sent_meanwhile_is_not_set_aside(postgres_url: str) -> None:
    with Outbox(postgres_url, migrate=True) as outbox:
        outbox.send(NewMessage(Numbered(1), key="a"))
        [row] = outbox.messages()
        database = outbox.store.backend.sql
        assert database is not None
        waiting = WaitingRows(database)
        refused = judge([row], [MessageRefused("too large")], RelayPolicy(), 1)

        waiting.mark_sent([row])
        waiting.set_aside(refused, [row])

        [kept] = outbox.messages()
        assert (kept.state, kept.parked_us, kept.error) == ("sent", None, None)
