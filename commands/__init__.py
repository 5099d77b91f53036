"""The write side: commands, decisions, and the bus between them."""

from commands.around import Around
from commands.bus import AsyncBus, AsyncMiddleware, Bus, HandlerMap, Middleware
from commands.command import Command, read_command, validate
from commands.envelope import Envelope, enclose
from commands.errors import (
    IdempotencyConflict,
    InvalidCommand,
    KeyTaken,
    NoHandler,
    NotAuthorised,
    Rejected,
    TooManyConflicts,
)
from commands.handler import Handler, handles
from commands.idempotency.policy import Idempotency
from commands.middleware import (
    Ask,
    LookUp,
    Timing,
    authorise,
    log_commands,
    look_up,
    time_commands,
    trace_commands,
)
from commands.receipt import Receipt
from commands.retry import RetryPolicy

__all__ = [
    "Around",
    "Ask",
    "AsyncBus",
    "AsyncMiddleware",
    "Bus",
    "Command",
    "Envelope",
    "Handler",
    "HandlerMap",
    "Idempotency",
    "IdempotencyConflict",
    "InvalidCommand",
    "KeyTaken",
    "LookUp",
    "Middleware",
    "NoHandler",
    "NotAuthorised",
    "Receipt",
    "Rejected",
    "RetryPolicy",
    "Timing",
    "TooManyConflicts",
    "authorise",
    "enclose",
    "handles",
    "log_commands",
    "look_up",
    "read_command",
    "time_commands",
    "trace_commands",
    "validate",
]
