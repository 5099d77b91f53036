"""An application that tells others and hears of them, through a broker that is somewhere else."""

from eventfold import Application, consumes, publication
from tests.commands.outbox.shop import HANDLERS, PUBLISH, Numbered


@consumes
def hear(_message: Numbered) -> None:
    """Nothing to do."""


app = Application(
    "sqlite:///events.db",
    handlers=HANDLERS,
    publish=PUBLISH,
    reactions=[publication("feed", PUBLISH)],
    consumers=[hear],
    broker="nats://ann:hunter2@one:4222",
)
