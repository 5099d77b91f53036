"""The command line: one file for each noun, thin over the application.

`session.py` finds the application and turns errors into exit codes, `output.py` renders, `root.py` puts the nouns together.
Exit codes: 0, 1 (refused or failed; one sentence on stderr), 2 (wrong usage).
"""

from eventfold.cli.root import app, main

__all__ = ["app", "main"]
