"""The top's branch of the error tree.

EventfoldError
└── ApplicationNotFound     the application that a program was asked to use cannot be found or imported
"""

from eventstore import EventfoldError


class ApplicationNotFound(EventfoldError):
    """The application that was asked for cannot be found, or cannot be imported."""

    code = "application_not_found"
