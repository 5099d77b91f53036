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
from commands.inbox.chain import ConsumerMiddleware
from commands.inbox.consumer import Consumer, consumes
from commands.inbox.consuming import Consuming
from commands.inbox.inbox import Inbox
from commands.inbox.messages import InboxMessage, InboxStatus, RetriedMessages
from commands.inbox.middleware import MessageTiming, log_messages, time_messages
from commands.inbox.received import Received
from commands.inbox.worker import InboxWorker
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
from commands.outbox.policy import RelayPolicy
from commands.outbox.relay import Relay
from commands.outbox.row import OutboxRow
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
    "Consumer",
    "ConsumerMiddleware",
    "Consuming",
    "Dispatched",
    "DuplicateMessage",
    "Envelope",
    "Handler",
    "HandlerMap",
    "Idempotency",
    "IdempotencyConflict",
    "Inbox",
    "InboxMessage",
    "InboxStatus",
    "InboxWorker",
    "InvalidCommand",
    "InvalidMessage",
    "KeyTaken",
    "LookUp",
    "Message",
    "MessageRefused",
    "MessageTiming",
    "Middleware",
    "NewMessage",
    "NoHandler",
    "NotAuthorised",
    "NotDue",
    "Outbox",
    "OutboxRow",
    "PublishFailed",
    "Receipt",
    "Received",
    "Rejected",
    "Relay",
    "RelayPolicy",
    "RetriedMessages",
    "RetryPolicy",
    "Schedule",
    "Scheduled",
    "Timing",
    "TooManyConflicts",
    "UnitOfWork",
    "authorise",
    "consumes",
    "enclose",
    "handles",
    "log_commands",
    "log_messages",
    "look_up",
    "read_command",
    "time_commands",
    "time_messages",
    "trace_commands",
    "validate",
]
