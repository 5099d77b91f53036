"""An application with a reaction that fails on some events, for as long as it is broken."""

from eventfold import Application, Event, Poison, Recorded, reaction


class Ordered(Event):
    text: str


class Mood:
    broken = True


@reaction("mail", start="beginning", poison=Poison(attempts=2, pause=0.0))
def mail(recorded: Recorded[Ordered]) -> None:
    if recorded.event.text == "rum" and Mood.broken:
        raise ConnectionError("no such address")


app = Application("sqlite:///mailing.db", reactions=[mail], name="mailing")
