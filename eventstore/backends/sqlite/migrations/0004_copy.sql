-- How far this log is a copy of another one (one row), and where the other's positions went, if they did not stay.
CREATE TABLE {prefix}copy (
    id               INTEGER PRIMARY KEY CHECK (id = 1),
    transform        TEXT NOT NULL,
    source_position  INTEGER NOT NULL,
    source_event_id  TEXT NOT NULL,
    target_position  INTEGER NOT NULL,
    events_read      INTEGER NOT NULL,
    events_written   INTEGER NOT NULL
) STRICT;

CREATE TABLE {prefix}copy_positions (
    source_position  INTEGER PRIMARY KEY,
    target_position  INTEGER NOT NULL
) STRICT;
