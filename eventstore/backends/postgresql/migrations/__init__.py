"""The tables and functions of the log in PostgreSQL, step by step."""
