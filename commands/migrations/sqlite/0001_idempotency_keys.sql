CREATE TABLE {prefix}idempotency_keys (
    scope        TEXT NOT NULL,
    key          TEXT NOT NULL,
    command      TEXT NOT NULL,
    fingerprint  TEXT NOT NULL,
    outcome      TEXT NOT NULL,
    kept_at      INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    PRIMARY KEY (scope, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX {prefix}idempotency_keys_by_end ON {prefix}idempotency_keys (expires_at);
