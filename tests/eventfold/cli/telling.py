"""An application that tells others of its orders, by way of a broker in memory."""

from eventfold import Application, RelayPolicy, RetryPolicy
from tests.commands.outbox.shop import HANDLERS, PUBLISH

app = Application(
    "sqlite:///events.db",
    handlers=HANDLERS,
    publish=PUBLISH,
    name="shop",
    broker="memory://telling",
    relay=RelayPolicy(retry=RetryPolicy(attempts=1)),
)
