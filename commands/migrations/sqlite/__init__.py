"""Migrations of the write side on SQLite."""
