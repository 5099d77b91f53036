"""The contract of a broker, one file for each behaviour, joined in one class."""

from commands.testing.brokers.ids import Ids
from commands.testing.brokers.limits import Limits
from commands.testing.brokers.outages import Outages
from commands.testing.brokers.publishing import Publishing
from commands.testing.brokers.reading import Reading
from commands.testing.brokers.strangers import Strangers


class BrokerContract(Publishing, Reading, Limits, Ids, Strangers, Outages):
    """What every broker owes. Subclass it as `TestX` and define the fixture `connect`.

    `connect` is a function that opens a connection; its argument are options for the URL, such as `partitions=4&mode=structured`.
    Every connection reaches the same messages.

    Set to False, or to 0, what the broker cannot do; the cases about that are left out.

    Attributes:
        too_large: a size in bytes that the broker refuses.
        knows_ids: a message that is handed over twice within a minute is kept once.
        takes_anything: somebody else may put bytes there that are no message; define the fixture `put` too.
        can_fail: the broker can be killed and started again; define the fixture `outage` too.
    """
