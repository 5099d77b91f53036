-- The first columns are those that Debezium's outbox event router reads, under the names that it expects.
CREATE TABLE {prefix}outbox (
    seq            INTEGER PRIMARY KEY,
    id             TEXT NOT NULL UNIQUE,
    aggregatetype  TEXT NOT NULL,
    aggregateid    TEXT NOT NULL,
    type           TEXT NOT NULL,
    payload        TEXT NOT NULL,
    headers        TEXT NOT NULL,
    created        INTEGER NOT NULL,
    attempts       INTEGER NOT NULL DEFAULT 0,
    next_try       INTEGER NOT NULL DEFAULT 0,
    error          TEXT,
    parked         INTEGER,
    sent           INTEGER
) STRICT;

CREATE INDEX {prefix}outbox_pending ON {prefix}outbox (aggregatetype, aggregateid, seq)
    WHERE sent IS NULL AND parked IS NULL;

CREATE INDEX {prefix}outbox_parked ON {prefix}outbox (aggregatetype, aggregateid, seq) WHERE parked IS NOT NULL;

CREATE INDEX {prefix}outbox_sent ON {prefix}outbox (sent) WHERE sent IS NOT NULL;

-- What concerns all relays: one row, by which a relay on SQLite has its turn, and which says why none gets on.
CREATE TABLE {prefix}outbox_relay (
    owner     TEXT NOT NULL,
    until_us  INTEGER NOT NULL,
    error     TEXT,
    error_at  INTEGER
) STRICT;

INSERT INTO {prefix}outbox_relay (owner, until_us) VALUES ('', 0);
