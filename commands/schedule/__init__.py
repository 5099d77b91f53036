"""Scheduled commands: kept in the database, and dispatched when they are due, exactly once in effect."""
