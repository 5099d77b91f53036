"""For tests of decisions: given these events, when this command, then those events."""

from commands.testing.scenario import Outcome, Scenario, given

__all__ = ["Outcome", "Scenario", "given"]
