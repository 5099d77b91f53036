"""The real servers that the tests run against: one module per server, and the table of what was real."""
