"""The tables of the read side, one folder for each database."""
