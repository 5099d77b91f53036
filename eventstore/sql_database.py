"""The log's SQL database, as the rooms above use it for tables of their own."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import NoReturn

from sqlalchemy import Connection, Engine

from eventstore.fork import left
from eventstore.migration import Migrator, load_migrations


class SqlDatabase:
    """An engine with the names under which Eventfold keeps its tables there.

    Args:
        engine: the database. Its transactions need not wait for the disk: see `transaction`.
        prefix: of the framework's own tables.
        schema: the PostgreSQL schema of all tables.
        description: the database for humans, without secrets.
        turn: held while something is written: SQLite has one writer, and waiting in line beats polling for its lock.
        translated: makes the context in which the driver's errors become those of `eventstore.errors`.
        pipelined: makes the context in which statements of a connection are sent without waiting for each other's answers.
        broken: whether the transaction of a connection can be rolled back only, since a statement in it has failed.
        lasting: the same database, with transactions that wait for the disk; where it is not given, those of `engine` do.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        prefix: str,
        schema: str | None,
        description: str,
        turn: AbstractContextManager[object] | None = None,
        translated: Callable[[], AbstractContextManager[object]] = nullcontext,
        pipelined: Callable[[Connection], AbstractContextManager[object]] = nullcontext,
        broken: Callable[[Connection], bool] = lambda _: False,
        lasting: Engine | None = None,
    ) -> None:
        self.engine = engine
        self._lasting = engine if lasting is None else lasting
        self.prefix = prefix
        self.schema = schema
        self.description = description
        self._turn = turn if turn is not None else nullcontext()
        self._translated = translated
        self.pipelined = pipelined
        self.broken = broken

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.engine.dialect.name

    def qualified(self, table: str) -> str:
        """The table's name with its schema."""
        return f'"{self.schema}".{table}' if self.schema else table

    def translating(self) -> AbstractContextManager[object]:
        """The context in which the driver's errors become those of `eventstore.errors`."""
        return self._translated()

    @contextmanager
    def reading(self, *, together: bool = False) -> Iterator[Connection]:
        """A connection to read with: statement by statement, or `together` in a transaction, as a server's cursor needs it.

        On PostgreSQL each statement sees what is committed when it begins, in a transaction and without one. So one that stands
        alone is spared BEGIN and ROLLBACK, two round trips.
        """
        with self._translated(), self.engine.connect() as plain:
            yield plain if together else plain.execution_options(alone=True)

    @contextmanager
    def transaction(
        self, around: Callable[[Connection], AbstractContextManager[object]] = nullcontext
    ) -> Iterator[Connection]:
        """A write transaction: atomic, but a power cut may take the last ones away whole.

        That is all that rows folded from the log need, because their checkpoint goes with them.

        Args:
            around: what is entered before the transaction begins, and left after it has ended.
        """
        with self._turn, self._translated(), self.engine.connect() as plain, around(plain):
            connection = plain.execution_options(writes=True, relaxed=True)
            with connection.begin():
                yield connection

    @contextmanager
    def durable(self) -> Iterator[Connection]:
        """A write transaction that waits for the disk, as an append does: for what the log cannot say again."""
        with self._turn, self._translated(), self._lasting.connect() as plain:
            connection = plain.execution_options(writes=True)
            with connection.begin():
                yield connection

    def leave_to_parent(self) -> object:
        """In a forked child: refuses from now on, since the connections and locks are the parent's."""
        kept = self._turn, self._translated, self.engine.pool
        self.engine.dispose(close=False)
        self._turn, self._translated = nullcontext(), self._refused
        return kept

    def _refused(self) -> NoReturn:
        raise left(self.description)

    def migrator(self, room: str, package: str) -> Migrator:
        """Migrations of another room for this database; they lie in `<package>.<dialect>`."""
        migrations = load_migrations(
            room, f"{package}.{self.dialect}", prefix=self.prefix, qualifier=self.qualified("")
        )
        return Migrator(self.engine, migrations, prefix=self.prefix, schema=self.schema, description=self.description)
