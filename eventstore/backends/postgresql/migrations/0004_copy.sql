-- How far this log is a copy of another one (one row), and where the other's positions went, if they did not stay.
CREATE TABLE {qualifier}{prefix}copy (
    id               integer PRIMARY KEY CHECK (id = 1),
    transform        text NOT NULL,
    source_position  bigint NOT NULL,
    source_event_id  text NOT NULL,
    target_position  bigint NOT NULL,
    events_read      bigint NOT NULL,
    events_written   bigint NOT NULL
);

CREATE TABLE {qualifier}{prefix}copy_positions (
    source_position  bigint PRIMARY KEY,
    target_position  bigint NOT NULL
);
