"""`Session` for asyncio."""

from typing import TYPE_CHECKING, Any, TypeVar

from commands import Command, Receipt
from eventfold.async_query import AsyncModelQuery
from eventfold.session import Session
from eventstore import Recording

if TYPE_CHECKING:
    from eventfold.async_application import AsyncApplication

M = TypeVar("M")


class AsyncSession:
    """Remembers the token of its last write, and has its queries wait for it. See `Session`.

    Args:
        app: the application.
        token: of the last write, where it was made elsewhere.
    """

    def __init__(self, app: "AsyncApplication", token: str | None = None) -> None:
        self._app = app
        self._session = Session(app.sync, token)

    @property
    def token(self) -> str | None:
        """Of the last write."""
        return self._session.token

    async def dispatch(self, command: Command, **options: Any) -> Receipt:
        """Dispatches a command, and remembers what it wrote."""
        receipt = await self._app.dispatch(command, **options)
        self._session.wrote(receipt.token)
        return receipt

    async def save(self, recording: Recording[Any]) -> Receipt | None:
        """Appends what an object-style aggregate has recorded, and remembers it."""
        receipt = await self._app.save(recording)
        if receipt is not None:
            self._session.wrote(receipt.token)
        return receipt

    def wrote(self, token: str) -> None:
        """Remembers a write that was made elsewhere; an older one than is known changes nothing."""
        self._session.wrote(token)

    def query(self, model: type[M]) -> AsyncModelQuery[M]:
        """A query that waits for the session's last write, unless it is given another token."""
        return AsyncModelQuery(lambda: self._session.query(model))

    def view(self, name: str) -> AsyncModelQuery[Any]:
        """A query over a reporting view that waits for the session's last write."""
        return AsyncModelQuery(lambda: self._session.view(name))
