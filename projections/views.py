"""The reporting views of an application, bound to the tables that they read."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Table

from eventstore import DefinitionError
from eventstore.sql_database import SqlDatabase
from projections.errors import NeedsRebuild, ViewRefused
from projections.model import Model
from projections.reporting_view import ReportingView
from projections.target import GenerationInfo
from projections.targets.sql_generations import BoundSqlTable
from projections.targets.sql_reader import SqlReader
from projections.targets.sql_report import SqlReport, show_together
from projections.targets.sql_view_registry import StoredView, ViewRegistry
from projections.track import Track
from projections.view_rows import table_of, view_model


class BoundView:
    """A reporting view that knows its tables.

    It is made when all of these are there, as the code at hand has made them. Where another one is live, the view stays as it is:
    over the rows that it has shown so far. Of two versions of the code with different SQL, the one whose SQL was made later keeps
    the view, so that they do not make it anew in turn; a worker that starts takes it back, as it rebuilds what is outdated.

    Args:
        declared: the view.
        tables: by placeholder, the track of each table.

    Attributes:
        tracks: of the tables, each once.
    """

    def __init__(self, declared: ReportingView, tables: dict[str, Track]) -> None:
        self.declared = declared
        self.name = declared.name
        self.tracks = list(dict.fromkeys(tables.values()))
        self._names = {name: _table(track) for name, track in tables.items()}
        self.database: SqlDatabase = _table(self.tracks[0]).database
        self._report = SqlReport(self.database, self.name, declared.unique)
        self._registry = ViewRegistry(self.database)
        self._definition = declared.fingerprint
        self._opened: tuple[Model, Table] | None = None
        for track in self.tracks:
            _table(track).views.append(self)
            _table(track).views.sort(key=lambda each: getattr(each, "name", ""))

    # -- within a transaction --------------------------------------------------------------------------------------

    def hold(self, connection: Connection) -> None:
        """Keeps others from changing the view until the transaction ends; waits for a refresh, however long it takes."""
        if self.database.dialect == "postgresql":
            before = connection.exec_driver_sql("SELECT current_setting('lock_timeout')").scalar_one()
            connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext(%s))", (self._lock_name,))
            connection.exec_driver_sql("SELECT set_config('lock_timeout', %s, true)", (before,))

    def check(self, connection: Connection, table: BoundSqlTable, number: int) -> None:
        """Makes sure that the SQL could read a generation in place of the live one, as far as the other tables are there.

        Raises:
            ViewRefused: it could not.
        """
        live = self._live(connection, besides=table)
        if live is not None:
            self._check(connection, {**live, table: number})

    def prepare(self, connection: Connection) -> Sequence[Callable[[], None]]:
        """What is to be done, at once, to show the generations that are live by now; the rows are computed here already.

        Raises:
            ViewRefused: the database refuses the SQL, or a row that it gives.
        """
        live = self._live(connection)
        stored = self._registry.find(connection, self.name)
        if live is None or (stored is not None and (self.is_superseded(stored) or self._is_current(stored, live))):
            return []
        return self._make(connection, live, stored)

    # -- in a transaction of its own -------------------------------------------------------------------------------

    def ensure(self, *, back: bool = False) -> bool:
        """Makes the view where it is missing, or shows something else than it should.

        Args:
            back: also where a newer version of the code has made it of other SQL.

        Returns:
            False where one of its tables is not there, or was made by another version of the code.

        Raises:
            NeedsRebuild: other SQL was made since by a newer version of the code.
            ViewRefused: the database refuses the SQL; what was there is untouched.
        """
        with self.database.reading(together=True) as connection:
            live = self._live(connection)
            stored = self._registry.find(connection, self.name)
        if live is None:
            return False
        if stored is not None and self.is_superseded(stored) and not back:
            raise self._superseded()
        if stored is None or not self._is_current(stored, live):
            self._change(refresh=lambda _: False, back=back)
        return True

    def refresh(self, *, back: bool = False) -> bool:
        """Computes the rows of a materialised view anew, in one transaction, from the rows of its tables as they are.

        Args:
            back: whether to put the SQL of this code in its place again, where a newer version of the code has made other SQL.

        Returns:
            False where it keeps none, or one of its tables is not there, or was made by another version of the code, or a newer
            version keeps it with other SQL.

        Raises:
            ViewRefused: the database refuses the SQL, or a row that it gives; the former rows are untouched.
        """
        return self._change(refresh=lambda _: True, back=back)

    def refresh_if_due(self, *, back: bool = False) -> float | None:
        """The part of a worker: makes the view where that is to be done, and refreshes it if it is time.

        Of several workers one does it; the others need not wait.

        Args:
            back: as for `ensure`.

        Returns:
            After how many seconds it may be due next; None where that depends on events alone.
        """
        if self.ensure(back=back) and self.declared.refreshes:
            with self.database.reading(together=True) as connection:
                due = self._due(connection)
            if due:
                self._change(refresh=self._due, wait=False)
        return self.declared.refresh_seconds

    @contextmanager
    def reading(self) -> Iterator[SqlReader]:
        """A reader of the rows."""
        model, table = self._open()
        with self.database.reading() as connection:
            stored = self._registry.find(connection, self.name)
            if stored is not None and self.is_superseded(stored):
                raise self._superseded()
            yield SqlReader(connection, self, table, model)

    def live_position(self, connection: Connection) -> tuple[int, int]:
        """Everything up to here is in the rows; and how many events they lack that wait aside."""
        stands = [_table(track).live_position(connection) for track in self.tracks]
        position, parked = min(each for each, _ in stands), sum(each for _, each in stands)
        if self.declared.materialized:
            stored = self._registry.find(connection, self.name)
            position = 0 if stored is None else stored.position
        return position, parked

    def stored(self) -> tuple[StoredView | None, list[GenerationInfo | None]]:
        """What the database knows of it, and the live generation of each of its tables."""
        with self.database.reading(together=True) as connection:
            return self._registry.find(connection, self.name), [_table(each).live(connection) for each in self.tracks]

    def is_superseded(self, stored: StoredView) -> bool:
        """Whether a newer version of the code has made it of other SQL."""
        return self._definition in stored.superseded

    def is_current(self, stored: StoredView, infos: Sequence[GenerationInfo | None]) -> bool:
        """Whether what is there is what the code says, over the rows that queries see."""
        shown = tuple((each.projection, each.target, each.number) for each in infos if each is not None)
        return stored.definition == self._definition and stored.shown == shown

    @property
    def model(self) -> Model:
        """What a row looks like."""
        return self._open()[0]

    @property
    def table(self) -> Table:
        """The view, as SQLAlchemy knows it."""
        return self._open()[1]

    # ---------------------------------------------------------------------------------------------------------------

    def _open(self) -> tuple[Model, Table]:
        """Sees, once in a process, to the tables and the view."""
        if self._opened is None:
            for track in self.tracks:
                track.generation  # noqa: B018 - made on first use
            self.ensure()
            model = view_model(self.declared, self.database)
            self._opened = model, table_of(self.declared, self.database, model)
        return self._opened

    def _superseded(self) -> NeedsRebuild:
        return NeedsRebuild(
            f"the view {self.name!r} was made of other SQL by a newer version of the code, which keeps it; start that version, "
            f"or put the SQL of this one in its place: start a worker, or run `eventfold views refresh {self.name}`"
        )

    def _change(self, *, refresh: Callable[[Connection], bool], wait: bool = True, back: bool = False) -> bool:
        try:
            with self.database.transaction() as connection:
                return self._changed(connection, refresh, wait=wait, back=back)
        except ViewRefused as error:
            with self.database.transaction() as connection:
                self._registry.failed(connection, self.name, str(error))
            raise

    def _changed(
        self, connection: Connection, refresh: Callable[[Connection], bool], *, wait: bool, back: bool
    ) -> bool:
        if wait:
            self.hold(connection)
        elif not self._hold_if_free(connection):
            return False
        live, stored = self._live(connection), self._registry.find(connection, self.name)
        if live is None or (stored is not None and self.is_superseded(stored) and not back):
            return False
        if stored is None or not self._is_current(stored, live):
            show_together(connection, self._make(connection, live, stored))
        elif not self.declared.materialized or not refresh(connection):
            return False
        elif not self._report.refreshes_in_place:
            show_together(connection, self._make(connection, live, stored))
        else:
            self._computed(
                connection, live, stored, stored.number, lambda: self._report.refresh(connection, stored.number)
            )
        return True

    def _make(
        self, connection: Connection, live: dict[BoundSqlTable, int], stored: StoredView | None
    ) -> Sequence[Callable[[], None]]:
        sql = self._check(connection, live)
        former = 0 if stored is None else stored.number
        number = former + 1 if self.declared.materialized else 0
        if number:
            self._computed(connection, live, stored, number, lambda: self._report.keep(connection, number, sql))
            sql = f"SELECT * FROM {self._report.kept(number)}"
        else:
            self._computed(connection, live, stored, 0, lambda: None)
        return [lambda: self._report.show(connection, sql), lambda: self._report.discard(connection, former)]

    def _computed(
        self,
        connection: Connection,
        live: dict[BoundSqlTable, int],
        former: StoredView | None,
        number: int,
        compute: Callable[[], None],
    ) -> None:
        """Computes the rows, and remembers where the tables stood before that."""
        infos = [_table(each).live(connection) for each in self.tracks]
        shown = tuple((*_place(each), live[_table(each)]) for each in self.tracks)
        position = min(each.position for each in infos if each is not None)
        events = sum(each.events for each in infos if each is not None)
        began = time.monotonic()
        compute()
        seconds = round(time.monotonic() - began, 6)
        superseded = () if former is None else former.superseded_by(self._definition)
        view = StoredView(self._definition, shown, number, position, events, seconds=seconds, superseded=superseded)
        self._registry.put(connection, self.name, view)

    def _check(self, connection: Connection, live: dict[BoundSqlTable, int]) -> str:
        sql = self.declared.sql({name: table.shown_by(connection, live[table]) for name, table in self._names.items()})
        model = self.declared.model
        columns = self.declared.unique if model is None else [each.name for each in model.fields]
        self._report.check(connection, sql, columns)
        return sql

    def _live(self, connection: Connection, besides: BoundSqlTable | None = None) -> dict[BoundSqlTable, int] | None:
        """The number of the live generation of each table; None where one is missing, or is of another version of the code."""
        found = {}
        for track in self.tracks:
            table = _table(track)
            info = table.live(connection)
            if table is besides:
                continue
            if info is None or info.fingerprint != track.projection.fingerprint:
                return None
            found[table] = info.number
        return found

    def _is_current(self, stored: StoredView, live: dict[BoundSqlTable, int]) -> bool:
        shown = tuple((*_place(each), live[_table(each)]) for each in self.tracks)
        if stored.error is not None and not self.declared.materialized:
            return False  # it is that of other SQL, which was tried in between
        return stored.definition == self._definition and stored.shown == shown

    def _due(self, connection: Connection) -> bool:
        stored = self._registry.find(connection, self.name)
        if stored is None:
            return False
        infos = [_table(each).live(connection) for each in self.tracks]
        events = sum(each.events for each in infos if each is not None) - stored.events
        every, seconds = self.declared.refresh_events, self.declared.refresh_seconds
        late = seconds is not None and stored.now_us - stored.refreshed_us >= seconds * 1e6
        return events != 0 and ((every is not None and abs(events) >= every) or late)

    @property
    def _lock_name(self) -> str:
        return f"eventfold view {self.database.qualified(self.name)}"

    def _hold_if_free(self, connection: Connection) -> bool:
        if self.database.dialect == "sqlite":
            return True  # its transactions that write come one after the other
        sql = "SELECT pg_try_advisory_xact_lock(hashtext(%s))"
        return bool(connection.exec_driver_sql(sql, (self._lock_name,)).scalar_one())


def bind_views(tracks: Sequence[Track], declared: Iterable[ReportingView]) -> dict[str, BoundView]:
    """The views by name, each bound to its tables.

    Raises:
        DefinitionError: a name is taken, or a view reads what is not there, or not in one database.
    """
    found: dict[str, BoundView] = {}
    for view in declared:
        if not isinstance(view, ReportingView):
            raise DefinitionError(f"views: expected a ReportingView, got {view!r}")
        if view.name in found or any(view.name == each.name for each in tracks):
            raise DefinitionError(f"{view.where}: the name is taken, by a table or another view; choose another one")
        found[view.name] = BoundView(view, _tables(view, tracks))
    return found


def _tables(view: ReportingView, tracks: Sequence[Track]) -> dict[str, Track]:
    """The tables by the names that the SQL has for them."""
    named: dict[str, Track] = {}
    for track in tracks:
        if isinstance(track.target, BoundSqlTable):
            for name in view.names_of(track.projection, track.name):
                named.setdefault(name, track)
    for name in view.placeholders:
        if name not in named:
            known = ", ".join(sorted(named)) or "none that are SQL tables"
            raise DefinitionError(f"{view.where}: {{{name}}} is none of the read models in over= (there are: {known})")
    tables = {name: named[name] for name in view.placeholders}
    for each in view.over:
        if not any(_names(each, track) for track in tables.values()):
            raise DefinitionError(f"{view.where}: over= names {_shown(each)}, which the SQL does not read in braces")
    databases = {id(_table(track).database): _table(track).database for track in tables.values()}
    if len(databases) > 1:
        where = " and ".join(sorted(each.description for each in databases.values()))
        raise DefinitionError(
            f"{view.where}: its tables are in different databases, {where}; a view reads those of one"
        )
    return tables


def _names(source: Any, track: Track) -> bool:
    projection = track.projection
    given = getattr(source, "projection", source)
    return given is projection or given is projection.model.cls or given in (projection.name, track.name)


def _shown(source: Any) -> str:
    named = getattr(source, "projection", source)
    return str(getattr(named, "name", None) or getattr(named, "__name__", named))


def _table(track: Track) -> BoundSqlTable:
    assert isinstance(track.target, BoundSqlTable)  # noqa: S101 - others have been refused
    return track.target


def _place(track: Track) -> tuple[str, str]:
    return track.projection.name, track.name
