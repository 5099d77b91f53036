"""Migrations of the log on SQLite."""
