"""The write side: commands, decisions, and the bus between them."""

from commands.around import Around
from commands.bus import AsyncBus, AsyncMiddleware, Bus, HandlerMap, Middleware
from commands.cloud_event import CloudEvent
from commands.command import Command, read_command, validate
from commands.dispatched import Dispatched
from commands.envelope import Envelope, enclose
from commands.errors import (
    BrokerError,
    BrokerUnavailable,
    DuplicateMessage,
    IdempotencyConflict,
    InvalidCommand,
    InvalidMessage,
    KeyTaken,
    MessageRefused,
    NoHandler,
    NotAuthorised,
    NotDue,
    PublishFailed,
    Rejected,
    TooManyConflicts,
)
from commands.handler import Handler, handles
from commands.idempotency.policy import Idempotency
from commands.message import Message, NewMessage
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
from commands.outbox.outbox import Outbox
from commands.receipt import Receipt
from commands.retry import RetryPolicy
from commands.schedule.schedule import Schedule
from commands.schedule.scheduled import Scheduled
from commands.unit_of_work import AsyncUnitOfWork, UnitOfWork

__all__ = [
    "Around",
    "Ask",
    "AsyncBus",
    "AsyncMiddleware",
    "AsyncUnitOfWork",
    "BrokerError",
    "BrokerUnavailable",
    "Bus",
    "CloudEvent",
    "Command",
    "Dispatched",
    "DuplicateMessage",
    "Envelope",
    "Handler",
    "HandlerMap",
    "Idempotency",
    "IdempotencyConflict",
    "InvalidCommand",
    "InvalidMessage",
    "KeyTaken",
    "LookUp",
    "Message",
    "MessageRefused",
    "Middleware",
    "NewMessage",
    "NoHandler",
    "NotAuthorised",
    "NotDue",
    "Outbox",
    "PublishFailed",
    "Receipt",
    "Rejected",
    "RetryPolicy",
    "Schedule",
    "Scheduled",
    "Timing",
    "TooManyConflicts",
    "UnitOfWork",
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
