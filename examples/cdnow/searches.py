"""Searches in the customers, as the command line does them."""

import shlex
from collections.abc import Sequence
from typing import NamedTuple

from rich.console import Console

from eventfold import Application
from eventstore.token import token_of
from examples.cdnow.customer import Tier
from examples.cdnow.profile import Band
from examples.cdnow.read_models import CustomerRow

SHOWN = 3


class Search(NamedTuple):
    """What is looked for.

    Attributes:
        text: words; most hits have some of them, the best have all.
        tier: only customers of this tier.
        band: only those who have spent so much.
        fuzziness: how many letters of a word may differ.
    """

    text: str
    tier: Tier | None = None
    band: Band | None = None
    fuzziness: int = 0

    @property
    def conditions(self) -> dict[str, Tier | Band]:
        """Those that there are, by field."""
        both = {"tier": self.tier, "band": self.band}
        return {name: value for name, value in both.items() if value is not None}

    @property
    def command(self) -> str:
        """What to type for it after `eventfold`."""
        where = [f"--where {name}={value}" for name, value in self.conditions.items()]
        fuzziness = [f"--fuzziness {self.fuzziness}"] if self.fuzziness else []
        shown = f"--columns customer_id,profile --limit {SHOWN}"
        return " ".join(["search CustomerRow", shlex.quote(self.text), *where, *fuzziness, shown])


SEARCHES = (
    Search("devoted customer since March", tier=Tier.PLATINUM),
    Search("one-time January", band=Band.FROM_250),
    Search("regulr golt febuary", fuzziness=1),
)


def show_searches(console: Console, app: Application, searches: Sequence[Search] = SEARCHES) -> None:
    """Each as it is typed, and its best hits. Waits until the index shows what is in the log."""
    for each in searches:
        console.print(f"\n[bold]eventfold {each.command}[/bold]", soft_wrap=True)
        found = app.query(CustomerRow).where(**each.conditions).search(each.text, fuzziness=each.fuzziness)
        for hit in found.limit(SHOWN).all(after=token_of(app.store.head())):
            console.print(f"  {hit.row.customer_id}  {hit.row.profile}", markup=False)
        console.print(f"  [dim]the best of {found.count():,} customers[/dim]")
