"""Migrations of the read side on SQLite."""
