"""What is said where a broker's answer did not come."""

from commands.errors import BrokerUnavailable


def unanswered(description: str, error: BaseException, seconds: float, advice: str) -> BrokerUnavailable:
    """The broker is away: after the time that an answer may take, or at once.

    Args:
        description: the broker for people.
        error: what its library says.
        seconds: how long an answer may take.
        advice: what to look at.
    """
    what = str(error).removeprefix("nats: ") or type(error).__name__
    name = type(error).__name__.lower()
    if isinstance(error, TimeoutError) or "timeout" in name or "timedout" in name:
        return BrokerUnavailable(f"{description}: expected an answer within {seconds:g} s, got {what}; {advice}")
    return BrokerUnavailable(f"{description}: expected an answer, got {what}; {advice}")
