"""Migrations of the write side on PostgreSQL."""
