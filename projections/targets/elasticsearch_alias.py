"""The alias under which other programs find the live rows. It hides the documents of deleted ones."""

from typing import Any

from eventstore import DefinitionError
from projections.target import live_of
from projections.targets.elasticsearch_select import NOT_DELETED
from projections.targets.elasticsearch_server import ElasticsearchServer
from projections.targets.register import Register


class LiveAlias:
    """Our own queries ask the register which index is live, so the alias may lag: it follows, and is mended where it did not.

    Args:
        server: where it is.
        name: the alias.
        register: knows which generation is live.
    """

    def __init__(self, server: ElasticsearchServer, name: str, register: Register) -> None:
        self._server = server
        self._name = name
        self._register = register

    def follow(self) -> None:
        """Points to the live index, by one action; again, if another one became live meanwhile.

        Raises:
            DefinitionError: the name is that of an index, or of an alias, of somebody else.
            TargetUnavailable: the server is away.
        """
        shown = None
        while (live := self._live_index()) != shown and live is not None:
            self._show(live)
            shown = live

    def _live_index(self) -> str | None:
        live = live_of(self._register.all())
        return None if live is None else f"{own_name(self._name, live.number, live.made_us)}-rows"

    def _show(self, index: str) -> None:
        from elasticsearch import ApiError, NotFoundError

        shown = self._shown()
        if shown == {index}:
            return
        if foreign := [each for each in shown if not each.startswith(f"{self._name}__g")]:
            raise self._taken(f"is an alias of {', '.join(foreign)}")
        former: list[dict[str, Any]] = [{"remove": {"index": each, "alias": self._name}} for each in shown - {index}]
        latter = {"add": {"index": index, "alias": self._name, "filter": NOT_DELETED}}
        try:
            self._server.ask(lambda client: client.indices.refresh(index=index))  # nobody sees less than before
            self._server.ask(lambda client: client.indices.update_aliases(actions=[*former, latter]))
        except NotFoundError:  # whoever makes the index lets the alias follow
            return
        except ApiError as error:
            raise self._taken(f"cannot be made an alias: {error}") from error

    def _shown(self) -> set[str]:
        from elasticsearch import NotFoundError

        try:
            return set(self._server.ask(lambda client: client.indices.get_alias(name=self._name)))
        except NotFoundError:
            return set()

    def _taken(self, what: str) -> DefinitionError:
        return DefinitionError(
            f"ElasticsearchIndex({self._name!r}): {self._name!r} {what}; choose another name, or remove that"
        )


def own_name(name: str, number: int, made_us: int) -> str:
    """What the index of a generation is called: never twice, so that nothing that comes late meets another index."""
    return f"{name}__g{number}-{made_us:x}"
