"""The two services. Each is an application over a database of its own."""

from eventfold import Application, SqlTable
from examples.orders.order import Placed, mark_shipped, note_parcel, orders, place, tell_of_order
from examples.orders.shipment import metadata, send_parcel


def order_service(database: str, broker: str) -> Application:
    """Event-sourced."""
    return Application(
        database,
        handlers=[place, mark_shipped],
        projections=[orders.into(SqlTable("orders"))],
        publish={Placed: tell_of_order},
        consumers=[note_parcel],
        broker=broker,
        source="/orders",
        name="orders",
        migrate=True,
    )


def shipping_service(database: str, broker: str) -> Application:
    """Plain rows, with an inbox and an outbox beside them."""
    app = Application(
        database, consumers=[send_parcel], broker=broker, source="/shipping", name="shipping", migrate=True
    )
    engine = app.store.backend.engine
    assert engine is not None
    metadata.create_all(engine)
    return app


SERVICES = {"orders": order_service, "shipping": shipping_service}
