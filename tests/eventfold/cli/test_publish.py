"""`eventfold publish`: what of a publication is parked is told as long as it is."""

from eventfold import Application
from tests.eventfold.cli.conftest import Cli
from tests.eventfold.cli.posting import Ordered, feed


def test_publishing_once_fails_as_long_as_something_is_parked(cli: Cli) -> None:
    cli.environment["EVENTFOLD_APP"] = "tests.eventfold.cli.posting:app"
    with Application(cli.database, reactions=[feed], broker="memory://posting") as app:
        app.store.append("order-1", [Ordered("rum")])
        app.store.append("order-2", [Ordered("tea")])

    said = cli("publish", "--once", code=1).stderr
    again = cli("publish", "--once", code=1)

    assert "publication 'feed' has parked the events of key '1' from position 1 on" in said
    assert said.lower().count("mend") == 1
    assert "some is parked of publication feed" in again.stderr
    assert "reaction 'feed'" not in again.stdout
    cli("reactions", "discard", "feed", "1")
    assert cli.json("publish", "--once")[0]["publication"] == "feed"
