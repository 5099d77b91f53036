"""Event sourcing and CQRS for Python: everything a user needs, from one name.

The names are those of `eventfold.public`, which is imported when the first of them is asked for: the command line imports this
package too, and must be there at once to meet Ctrl-C, or to print its version.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eventfold.public import *  # noqa: F403 - all of them, once

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name.startswith("__") and name != "__all__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("eventfold.public"), name)


def __dir__() -> list[str]:
    return ["__version__", *import_module("eventfold.public").__all__]
