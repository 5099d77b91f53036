"""The generations of a read model in a SQL database.

Every generation has a table of its own, `balances__g2`; a view, `balances`, shows the live one.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from sqlalchemy import Connection, Index, MetaData, Table, UniqueConstraint
from sqlalchemy.sql.elements import quoted_name

from eventstore.sql_database import SqlDatabase
from projections.columns import columns_of
from projections.model import Model
from projections.other_database import OtherDatabase
from projections.target import Generation, GenerationInfo, building_of, fenced, live_of, swapped
from projections.targets.sql_generation import SqlGeneration
from projections.targets.sql_read_rows import SqlReadRows
from projections.targets.sql_reader import SqlReader
from projections.targets.sql_registry import GenerationRegistry
from projections.targets.sql_report import drop_over, show_together
from projections.targets.sql_rows import rows_for
from projections.targets.sql_view import SqlView


class DependentView(Protocol):
    """A view that reads the table of a live generation, and follows it."""

    def hold(self, connection: Connection) -> None:
        """Keeps others from changing it until the transaction ends."""

    def check(self, connection: Connection, table: "BoundSqlTable", number: int) -> None:
        """Makes sure that it could read a generation in place of the live one.

        Raises:
            ViewRefused: it could not.
        """

    def prepare(self, connection: Connection) -> Sequence[Callable[[], None]]:
        """What is to be done, at once, to show the generations that are live by now."""


class BoundSqlTable:
    """The tables of one projection, one for each generation, and the view over them.

    Args:
        name: of the view.
        database: the log's, or another.
        projection: the projection's name.
        model: of the rows.
        indexes: fields that are indexed together.
        unique: fields whose values no two rows may share.
    """

    def __init__(
        self,
        name: str,
        database: SqlDatabase,
        projection: str,
        model: Model,
        *,
        indexes: Sequence[tuple[str, ...]],
        unique: Sequence[tuple[str, ...]],
    ) -> None:
        self.database = database
        self._name, self._indexes, self._unique = name, indexes, unique
        self._model = model
        self._registry = GenerationRegistry(database, projection, name)
        self._read = SqlReadRows(database, projection, name)
        self._opened: dict[int, SqlGeneration] = {}
        self.table = Table(quoted_name(name, quote=True), MetaData(schema=database.schema), *columns_of(model))
        self._view = SqlView(database, self.table)
        self.views: list[DependentView] = []

    @property
    def remote(self) -> bool:
        """Whether the rows are in another database than the log, which may be slow or away while the log is not."""
        return isinstance(self.database, OtherDatabase)

    def generations(self) -> list[GenerationInfo]:
        """All generations, oldest first."""
        return self._registry.all()

    def generation(self, number: int) -> SqlGeneration:
        """The generation of this number, made once: the engine asks for it before every batch."""
        found = self._opened.get(number)
        if found is None:
            rows = rows_for(self.database, self._physical(number), self._model)
            found = self._opened[number] = SqlGeneration(self.database, self._registry, rows, self._read, number)
        return found

    def create(self, fingerprint: str, *, live: bool, partitions: int = 1) -> SqlGeneration:
        """A new, empty generation; where another process has just made it, that one."""
        with self.database.transaction() as connection:
            return self._create(connection, fingerprint, live=live, partitions=partitions)

    def _create(self, connection: Connection, fingerprint: str, *, live: bool, partitions: int) -> SqlGeneration:
        self._registry.hold(connection)
        if self.database.dialect == "postgresql":  # a crash may take rows back, but not the table that queries name
            connection.exec_driver_sql("SET LOCAL synchronous_commit = on")
        known = self._registry.within(connection)
        if (found := live_of(known) if live else building_of(known, fingerprint)) is not None:
            return self.generation(found.number)
        number = max((each.number for each in known), default=0) + 1
        physical = self._physical(number)
        self._view.require_free(connection, physical.name)
        physical.create(connection)
        self._registry.insert(connection, number, "live" if live else "building", fingerprint, partitions)
        if live:
            self._view.show(connection, physical)
        else:
            for view in self.views:
                view.check(connection, self, number)
        return self.generation(number)

    def live_on(self, connection: Connection, fingerprint: str) -> GenerationInfo:
        """The live generation, held until the transaction of an append ends; made where there is none."""
        found = self._registry.live(connection)
        if found is None:
            self._create(connection, fingerprint, live=True, partitions=1)
            found = live_of(self._registry.within(connection, lock=True))
        assert found is not None  # noqa: S101 - it has just been made, or another one was
        return found

    def held(self, connection: Connection) -> list[GenerationInfo]:
        """All generations, held until the transaction ends."""
        return self._registry.within(connection, lock=True)

    def swap(self, generation: Generation, *, partitions: int = 1, behind: bool = False) -> bool:
        """Shows a generation in place of the live one, unless a part of it stands behind, and that is not wanted."""
        with self.database.transaction() as connection:
            return self.swap_on(connection, generation, partitions=partitions, behind=behind)

    def swap_on(
        self, connection: Connection, generation: Generation, *, partitions: int = 1, behind: bool = False
    ) -> bool:
        """The same within a transaction."""
        number = generation.number
        for view in self.views:
            view.hold(connection)
        known = self._registry.within(connection, lock=True)
        chosen, live = self._registry.chosen(known, number), live_of(known)
        checkpoints = swapped(chosen, live, partitions, behind=behind)
        if checkpoints is None:
            return False
        if live is not None:
            self._registry.set_state(connection, live.number, "retired")
            self._registry.replace(connection, live.number, fenced(live))
        self._registry.set_state(connection, number, "live")
        self._registry.replace(connection, number, checkpoints)
        follow = [step for view in self.views for step in view.prepare(connection)]
        show_together(connection, [*follow, lambda: self._view.show(connection, self._physical(number))])
        return True

    def reopen(self, number: int) -> bool:
        """Makes a retired generation one that is being built."""
        with self.database.transaction() as connection:
            known = {each.number: each.state for each in self._registry.within(connection, lock=True)}
            if known.get(number) != "retired":
                return False
            self._registry.set_state(connection, number, "building")
        return True

    def drop(self, number: int) -> None:
        """Removes a generation that is not live."""
        with self.database.transaction() as connection:
            known = {each.number: each for each in self._registry.within(connection, lock=True)}
            if number in known and known[number].state != "live":
                drop_over(connection, self.database, (*self._registry.mine, number))
                self._physical(number).drop(connection, checkfirst=True)
                self._registry.remove(connection, number)
                self._read.remove(connection, number)

    def pause(self, *, paused: bool) -> None:
        """Lets nobody move the rows until further notice, or lets them again."""
        with self.database.transaction() as connection:
            self._registry.hold(connection)
            self._registry.pause(connection, paused=paused)

    def live(self, connection: Connection) -> GenerationInfo | None:
        """The generation that queries see, as a transaction sees it."""
        return live_of(self._registry.within(connection))

    def shown_by(self, connection: Connection, number: int) -> str:
        """The table of a generation, as it is written in SQL."""
        return connection.dialect.identifier_preparer.format_table(self._physical(number))

    def live_position(self, connection: Connection) -> tuple[int, int]:
        """Where the live rows stand, and how many events they lack that wait aside."""
        return self._registry.live_position(connection)

    @contextmanager
    def reading(self) -> Iterator[SqlReader]:
        """A reader of the live rows, through the view."""
        with self.database.reading() as connection:
            yield SqlReader(connection, self._registry, self.table, self._model)

    @contextmanager
    def rows(self, number: int) -> Iterator[Iterable[Any]]:
        """All rows of a generation."""
        make, table = self._model.make, self._physical(number)
        with self.database.reading(together=True) as connection:
            found = connection.execution_options(yield_per=1000).execute(table.select().order_by(table.c[0]))
            yield (make(*row) for row in found)

    def _physical(self, number: int) -> Table:
        name = f"{self._name}__g{number}"
        rules = [UniqueConstraint(*fields, name=f"{name}_{'_'.join(fields)}_unique") for fields in self._unique]
        table = Table(
            name, MetaData(schema=self.database.schema), *columns_of(self._model), *rules, sqlite_with_rowid=False
        )
        for fields in self._indexes:
            Index(f"{name}_{'_'.join(fields)}", *[table.c[field] for field in fields])
        return table
