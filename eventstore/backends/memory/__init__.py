"""The log in memory, for tests and trials; also the plainest picture of what a backend does."""
