"""What an application is made of, and the database that it is turned to."""

from eventfold import Application


def test_an_application_turned_to_another_kind_of_database_leaves_the_former_kinds_options_behind() -> None:
    app = Application("sqlite:///never_made.db", synchronous="NORMAL", busy_seconds=1.0)

    app.parts.use_database("memory://")

    with app:
        assert app.store.head() == 0
