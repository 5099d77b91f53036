CREATE TABLE {qualifier}{prefix}idempotency_keys (
    scope        text COLLATE "C" NOT NULL,
    key          text COLLATE "C" NOT NULL,
    command      text NOT NULL,
    fingerprint  text NOT NULL,
    outcome      text NOT NULL,
    kept_at      bigint NOT NULL,
    expires_at   bigint NOT NULL,
    PRIMARY KEY (scope, key)
);

CREATE INDEX {prefix}idempotency_keys_by_end ON {qualifier}{prefix}idempotency_keys (expires_at);
