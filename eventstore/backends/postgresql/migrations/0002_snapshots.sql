-- States folded from a stream up to a version, which any load may do without. `event_id` ties each to the event that it
-- ends with, and `recorded_at` is the latest instant up to there.
CREATE TABLE {qualifier}{prefix}snapshots (
    stream       text COLLATE "C" NOT NULL,
    aggregate    text COLLATE "C" NOT NULL,
    fingerprint  text COLLATE "C" NOT NULL,
    version      bigint NOT NULL CHECK (version > 0),
    position     bigint NOT NULL,
    event_id     uuid NOT NULL,
    recorded_at  bigint NOT NULL,
    taken_at     bigint NOT NULL,
    state        text NOT NULL,
    PRIMARY KEY (stream, aggregate, fingerprint, version)
);
