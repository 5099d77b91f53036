"""Migrations of the read side on PostgreSQL."""
