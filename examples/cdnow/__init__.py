"""CDNOW: 69,659 real purchases, each a command, an event, and part of two read models. `make demo` runs it."""
