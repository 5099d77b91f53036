-- States folded from a stream up to a version, which any load may do without. `event_id` ties each to the event that it
-- ends with, and `recorded_at` is the latest instant up to there.
CREATE TABLE {prefix}snapshots (
    stream       TEXT NOT NULL,
    aggregate    TEXT NOT NULL,
    fingerprint  TEXT NOT NULL,
    version      INTEGER NOT NULL CHECK (version > 0),
    position     INTEGER NOT NULL,
    event_id     TEXT NOT NULL,
    recorded_at  INTEGER NOT NULL,
    taken_at     INTEGER NOT NULL,
    state        TEXT NOT NULL,
    PRIMARY KEY (stream, aggregate, fingerprint, version)
) STRICT;
