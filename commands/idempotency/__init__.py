"""Idempotency keys: a command that is sent again under the same key is answered with what it led to the first time."""
