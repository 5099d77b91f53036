"""A username belongs to one user at a time, without a table of names beside the log and without a lock."""

from typing import Annotated, assert_never

from eventfold import Aggregate, Command, Event, Meta, Query, Rejected, Tag, handles, replace

Username = Annotated[str, Meta(pattern="^[a-z0-9_]{3,20}$")]


class UsernameClaimed(Event):
    user_id: str
    username: Annotated[str, Tag("username")]


class UsernameReleased(Event):
    user_id: str
    username: Annotated[str, Tag("username")]


class Claim(Aggregate[UsernameClaimed | UsernameReleased]):
    """Who has the name that the decision asks for."""

    user_id: str | None = None

    def evolve(self, event: UsernameClaimed | UsernameReleased) -> "Claim":
        match event:
            case UsernameClaimed(user_id):
                return replace(self, user_id=user_id)
            case UsernameReleased():
                return replace(self, user_id=None)
            case _:
                assert_never(event)


class ClaimUsername(Command):
    user_id: str
    username: Username


class ReleaseUsername(Command):
    user_id: str
    username: Username


def of_username(command: ClaimUsername | ReleaseUsername) -> Query:
    return Query.of(tags=[f"username:{command.username}"])


def user_stream(command: ClaimUsername | ReleaseUsername) -> str:
    return f"user-{command.user_id}"


@handles(query=of_username, stream=user_stream)
def claim_username(claim: Claim, command: ClaimUsername) -> list[UsernameClaimed]:
    if claim.user_id is not None:
        raise Rejected(f"the name {command.username} is taken")
    return [UsernameClaimed(command.user_id, command.username)]


@handles(query=of_username, stream=user_stream)
def release_username(claim: Claim, command: ReleaseUsername) -> list[UsernameReleased]:
    if claim.user_id != command.user_id:
        raise Rejected(f"the name {command.username} is not {command.user_id}'s")
    return [UsernameReleased(command.user_id, command.username)]
