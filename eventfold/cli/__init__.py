"""The command line: one file for each noun, thin over the application.

`session.py` finds the application and turns errors into exit codes, `output.py` renders, `root.py` puts the nouns together.
Exit codes: 0, 1 (refused or failed; one sentence on stderr), 2 (wrong usage).
"""

import gc
import sys

from eventfold import __version__


def main() -> None:
    """Runs the command line."""
    if sys.argv[1:] == ["--version"]:
        print(f"eventfold {__version__}")  # noqa: T201 - it is what was asked for, without the time that imports take
        return
    try:
        gc.disable()  # what imports make stays: to look for garbage in it takes a third of the time until a command begins
        from eventfold.cli import root  # so that Ctrl-C is met here, too

        gc.freeze()
        gc.enable()
        root.run()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(1)


__all__ = ["main"]
