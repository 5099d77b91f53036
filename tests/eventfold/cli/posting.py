"""An application with a publication that fails on some events."""

from eventfold import Application, Event, Message, Recorded, publication


class Ordered(Event):
    text: str


class Told(Message, channel="orders"):
    text: str


def told(recorded: Recorded[Ordered]) -> Told:
    if recorded.event.text == "rum":
        raise ValueError("not told")
    return Told(recorded.event.text)


feed = publication("feed", {Ordered: told}, start="beginning")
app = Application("sqlite:///posting.db", reactions=[feed], broker="memory://posting", name="posting")
