"""The contract of a read-model target, one file for each behaviour, joined in one class."""

from projections.testing.contract.applying import Applying
from projections.testing.contract.following import Following
from projections.testing.contract.generations import Generations
from projections.testing.contract.leasing import Leasing
from projections.testing.contract.parking import Parking
from projections.testing.contract.partitions import Partitions
from projections.testing.contract.round_trips import RoundTrips
from projections.testing.contract.selecting import Selecting
from projections.testing.contract.sharing import Sharing


class TargetContract(Generations, Applying, Partitions, Leasing, Parking, RoundTrips, Selecting, Following, Sharing):
    """What every target owes. Subclass it as `TestX` and define the fixture `target`.

    `target` is the declaration as a user writes it, such as `SqlTable("things")`, over a place that is empty at the start of
    each test. Override the fixture `store` as well where the target keeps its rows in the log's database.

    Attributes:
        shares_rows: two processes that bind the target see the same rows. The cases about that are left out where not.
    """
