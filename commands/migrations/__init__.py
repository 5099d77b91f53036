"""The tables of the write side, one folder for each database."""
