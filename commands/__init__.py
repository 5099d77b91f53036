"""The write side: commands, decisions, and the bus between them."""

from commands.bus import AsyncBus, AsyncMiddleware, Bus, HandlerMap, Middleware
from commands.command import Command, read_command, validate
from commands.envelope import Envelope, enclose
from commands.errors import InvalidCommand, NoHandler, Rejected, TooManyConflicts
from commands.handler import Handler, handles
from commands.receipt import Receipt
from commands.retry import RetryPolicy

__all__ = [
    "AsyncBus",
    "AsyncMiddleware",
    "Bus",
    "Command",
    "Envelope",
    "Handler",
    "HandlerMap",
    "InvalidCommand",
    "Middleware",
    "NoHandler",
    "Receipt",
    "Rejected",
    "RetryPolicy",
    "TooManyConflicts",
    "enclose",
    "handles",
    "read_command",
    "validate",
]
