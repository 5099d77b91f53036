CREATE TABLE {prefix}checkpoints (
    projection  TEXT NOT NULL,
    target      TEXT NOT NULL,
    number      INTEGER NOT NULL,
    partition   INTEGER NOT NULL,
    position    INTEGER NOT NULL,
    events      INTEGER NOT NULL,
    error       TEXT,
    owner       TEXT,
    epoch       INTEGER NOT NULL,
    until_us    INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    PRIMARY KEY (projection, target, number, partition)
) STRICT, WITHOUT ROWID;

INSERT INTO {prefix}checkpoints
SELECT projection, target, number, 0, position, events, error, NULL, 0, 0, updated_at FROM {prefix}generations;

ALTER TABLE {prefix}generations DROP COLUMN position;

ALTER TABLE {prefix}generations DROP COLUMN events;

ALTER TABLE {prefix}generations DROP COLUMN error;

ALTER TABLE {prefix}generations DROP COLUMN updated_at;

CREATE TABLE {prefix}workers (
    name      TEXT NOT NULL PRIMARY KEY,
    until_us  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
