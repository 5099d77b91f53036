"""Parcels, without event sourcing: plain rows of a table, written with the note that the message was handled."""

from sqlalchemy import Column, Integer, MetaData, String, Table, insert

from eventfold import Received, consumes
from examples.orders.messages import OrderPlaced, ParcelSent

metadata = MetaData()
parcels = Table(
    "parcels",
    metadata,
    Column("parcel", Integer, primary_key=True, autoincrement=True),
    Column("order_id", String, nullable=False),  # not unique: were a message handled twice, the check would see it
    Column("customer_id", String, nullable=False),
    Column("number", Integer, nullable=False),
    Column("cds", Integer, nullable=False),
    Column("cents", Integer, nullable=False),
)


@consumes("orders", group="shipping")
def send_parcel(message: OrderPlaced, received: Received) -> None:
    """One transaction: the row, the message to the order service, and that this message was handled."""
    row = insert(parcels).values(
        order_id=message.order_id,
        customer_id=message.customer_id,
        number=message.number,
        cds=message.cds,
        cents=message.cents,
    )
    (parcel,) = received.connection.execute(row).inserted_primary_key or (0,)
    received.publish(ParcelSent(message.order_id, parcel))
