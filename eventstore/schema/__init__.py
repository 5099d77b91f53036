"""The shapes of events over time: the lock of what was ever deployed, and what changed since."""
