"""Middleware that is shipped; each works in threads and in asyncio tasks."""

from commands.middleware.authorise import authorise
from commands.middleware.log_commands import log_commands
from commands.middleware.look_up import Ask, LookUp, look_up
from commands.middleware.time_commands import Timing, time_commands
from commands.middleware.trace_commands import trace_commands

__all__ = ["Ask", "LookUp", "Timing", "authorise", "log_commands", "look_up", "time_commands", "trace_commands"]
