CREATE TABLE {prefix}inbox_positions (
    consumer_group  TEXT NOT NULL,
    channel         TEXT NOT NULL,
    part            INTEGER NOT NULL,
    position        TEXT,
    moves           INTEGER NOT NULL DEFAULT 0,
    moved_at        INTEGER,
    PRIMARY KEY (consumer_group, channel, part)
) STRICT, WITHOUT ROWID;

CREATE TABLE {prefix}inbox_leases (
    consumer_group  TEXT NOT NULL,
    channel         TEXT NOT NULL,
    part            INTEGER NOT NULL,
    owner           TEXT NOT NULL,
    owned_until     INTEGER NOT NULL,
    PRIMARY KEY (consumer_group, channel, part)
) STRICT, WITHOUT ROWID;

CREATE TABLE {prefix}inbox_readers (
    consumer_group  TEXT NOT NULL,
    channel         TEXT NOT NULL,
    name            TEXT NOT NULL,
    alive_until     INTEGER NOT NULL,
    PRIMARY KEY (consumer_group, channel, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE {prefix}inbox_handled (
    consumer_group  TEXT NOT NULL,
    source          TEXT NOT NULL,
    id              TEXT NOT NULL,
    handled_at      INTEGER NOT NULL,
    PRIMARY KEY (consumer_group, source, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX {prefix}inbox_handled_by_age ON {prefix}inbox_handled (handled_at);

CREATE TABLE {prefix}inbox (
    number          INTEGER PRIMARY KEY AUTOINCREMENT,
    consumer_group  TEXT NOT NULL,
    channel         TEXT NOT NULL,
    part            INTEGER NOT NULL,
    position        TEXT NOT NULL,
    key             TEXT,
    source          TEXT,
    id              TEXT,
    type            TEXT,
    attributes      TEXT,
    body            BLOB NOT NULL,
    attempts        INTEGER NOT NULL,
    error           TEXT,
    next_try        INTEGER,
    kept_at         INTEGER NOT NULL
) STRICT;

CREATE INDEX {prefix}inbox_by_key ON {prefix}inbox (consumer_group, channel, part, key, number);
CREATE INDEX {prefix}inbox_due ON {prefix}inbox (consumer_group, channel, part, next_try) WHERE next_try IS NOT NULL;
