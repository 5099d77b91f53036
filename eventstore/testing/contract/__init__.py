"""The contract of a store backend, one file for each behaviour, joined in one class."""

from eventstore.testing.contract.accompanying import Accompanying
from eventstore.testing.contract.aggregates import Aggregates
from eventstore.testing.contract.appending import Appending
from eventstore.testing.contract.boundaries import Boundaries
from eventstore.testing.contract.causing import Causing
from eventstore.testing.contract.conditions import Conditions
from eventstore.testing.contract.expected_versions import ExpectedVersions
from eventstore.testing.contract.group_commit import GroupCommits
from eventstore.testing.contract.guards import Guards, SharedGuards
from eventstore.testing.contract.instants import Instants
from eventstore.testing.contract.limits import Limits
from eventstore.testing.contract.listing import Listing
from eventstore.testing.contract.reading_log import ReadingTheLog
from eventstore.testing.contract.reading_streams import ReadingStreams
from eventstore.testing.contract.repetition import Repetition
from eventstore.testing.contract.round_trips import RoundTrips
from eventstore.testing.contract.sharing import Sharing
from eventstore.testing.contract.snapshots import Snapshots
from eventstore.testing.contract.subscribing import Subscribing
from eventstore.testing.contract.subscribing_async import SubscribingAsync
from eventstore.testing.contract.transactions import Transactions
from eventstore.testing.contract.upcasting import Upcasting


class EventStoreContract(
    Appending,
    ExpectedVersions,
    Guards,
    SharedGuards,
    Conditions,
    Boundaries,
    Repetition,
    GroupCommits,
    Accompanying,
    ReadingStreams,
    ReadingTheLog,
    RoundTrips,
    Instants,
    Listing,
    Aggregates,
    Causing,
    Snapshots,
    Subscribing,
    SubscribingAsync,
    Limits,
    Sharing,
    Transactions,
    Upcasting,
):
    """What every backend owes. Subclass it as `TestX` and define the fixture `store_factory`.

    `store_factory` is a function: called with the options of `EventStore` (`events`, `max_payload`) it opens a store;
    the first call in a test opens it on an empty log, and every further call on the same log. The contract closes what
    it opens.

    A backend that cannot do everything says so, and the cases about it are left out:

    Attributes:
        shares_log: a second store can be opened on the same log, also by another process.
        keeps_snapshots: the backend has a table of snapshots.
        joins_transactions: an append can take part in a transaction that the caller has open.
        accompanies: companions can write in an append's own transaction.
    """
