CREATE TABLE {prefix}generations (
    projection   TEXT NOT NULL,
    target       TEXT NOT NULL,
    number       INTEGER NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('building', 'live', 'retired')),
    fingerprint  TEXT NOT NULL,
    position     INTEGER NOT NULL,
    events       INTEGER NOT NULL,
    error        TEXT,
    updated_at   INTEGER NOT NULL,
    PRIMARY KEY (projection, target, number)
) STRICT;

CREATE UNIQUE INDEX {prefix}generations_live ON {prefix}generations (projection, target) WHERE state = 'live';
