"""How fast it is: every path against the raw driver doing the same work, and against another library. See `__main__`."""
