CREATE TABLE {prefix}parked (
    projection  TEXT NOT NULL,
    target      TEXT NOT NULL,
    number      INTEGER NOT NULL,
    partition   INTEGER NOT NULL,
    key         TEXT NOT NULL,
    position    INTEGER NOT NULL,
    error       TEXT,
    attempts    INTEGER NOT NULL,
    parked_at   INTEGER NOT NULL,
    PRIMARY KEY (projection, target, number, partition, key, position)
) STRICT, WITHOUT ROWID;

ALTER TABLE {prefix}checkpoints ADD COLUMN parked INTEGER NOT NULL DEFAULT 0;

ALTER TABLE {prefix}checkpoints ADD COLUMN discarded INTEGER NOT NULL DEFAULT 0;

ALTER TABLE {prefix}checkpoints ADD COLUMN rate REAL NOT NULL DEFAULT 0;

CREATE TABLE {prefix}paused (
    projection  TEXT NOT NULL,
    target      TEXT NOT NULL,
    paused_at   INTEGER NOT NULL,
    PRIMARY KEY (projection, target)
) STRICT, WITHOUT ROWID;
