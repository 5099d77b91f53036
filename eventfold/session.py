"""A session: whoever reads through it sees what was written through it."""

from typing import TYPE_CHECKING, Any, TypeVar

from commands import Command, Receipt
from eventstore import Recording
from eventstore.token import position_of
from projections import ModelQuery, ViewQuery

if TYPE_CHECKING:
    from eventfold.application import Application

M = TypeVar("M")


class Session:
    """Remembers the token of its last write, and has its queries wait for it.

        session = app.session()
        session.dispatch(Withdraw("a-1", 20))
        session.query(Balance).get("a-1")     # contains the withdrawal

    A session is one user's, or one request's: keep `token` where it outlives a process, in a cookie for instance.

    Args:
        app: the application.
        token: of the last write, where it was made elsewhere.
    """

    def __init__(self, app: "Application", token: str | None = None) -> None:
        self._app = app
        self.token: str | None = None
        if token is not None:
            self.wrote(token)

    def dispatch(self, command: Command, **options: Any) -> Receipt:
        """Dispatches a command, and remembers what it wrote. See `Application.dispatch`."""
        receipt = self._app.dispatch(command, **options)
        self.wrote(receipt.token)
        return receipt

    def save(self, recording: Recording[Any]) -> Receipt | None:
        """Appends what an object-style aggregate has recorded, and remembers it. See `Application.save`."""
        receipt = self._app.save(recording)
        if receipt is not None:
            self.wrote(receipt.token)
        return receipt

    def wrote(self, token: str) -> None:
        """Remembers a write that was made elsewhere; an older one than is known changes nothing.

        Raises:
            InvalidInput: it is not a token.
        """
        if self.token is None or position_of(token) > position_of(self.token):
            position_of(token)
            self.token = token

    def query(self, model: type[M]) -> ModelQuery[M]:
        """A query that waits for the session's last write, unless it is given another token. See `Application.query`."""
        return self._app.parts.query(model, lambda: self.token)

    def view(self, name: str) -> ViewQuery[Any]:
        """A query over a reporting view that waits for the session's last write. See `Application.view`."""
        return self._app.parts.view(name, lambda: self.token)
