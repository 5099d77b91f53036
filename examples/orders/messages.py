"""What the two services tell each other: the contract between them, and nothing of how either works inside."""

from eventfold import Message


class OrderPlaced(Message, message_type="order-placed", channel="orders"):
    """A customer has ordered. `number` counts up along the orders of a customer, from 1."""

    order_id: str
    customer_id: str
    number: int
    cds: int
    cents: int


class ParcelSent(Message, message_type="parcel-sent", channel="shipping"):
    """What was ordered is on its way."""

    order_id: str
    parcel: int
    """The number of the parcel, in the order in which they left."""
