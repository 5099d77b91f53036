CREATE TABLE {prefix}events (
    position        INTEGER PRIMARY KEY,
    stream          TEXT NOT NULL,
    version         INTEGER NOT NULL CHECK (version > 0),
    recorded_at     INTEGER NOT NULL,
    type            TEXT NOT NULL,
    schema_version  INTEGER NOT NULL,
    event_id        TEXT NOT NULL,
    occurred_at     INTEGER,
    correlation_id  TEXT,
    causation_id    TEXT,
    metadata        TEXT,
    tags            TEXT,
    payload         TEXT NOT NULL
) STRICT;

CREATE UNIQUE INDEX {prefix}events_stream ON {prefix}events (stream, version);

CREATE UNIQUE INDEX {prefix}events_id ON {prefix}events (event_id);

CREATE TABLE {prefix}event_tags (
    tag       TEXT NOT NULL,
    type      TEXT NOT NULL,
    position  INTEGER NOT NULL REFERENCES {prefix}events (position),
    PRIMARY KEY (tag, type, position)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER {prefix}events_no_update BEFORE UPDATE ON {prefix}events
BEGIN
    SELECT RAISE(ABORT, 'the log is append-only: UPDATE on {prefix}events is refused');
END;

CREATE TRIGGER {prefix}events_no_delete BEFORE DELETE ON {prefix}events
BEGIN
    SELECT RAISE(ABORT, 'the log is append-only: DELETE on {prefix}events is refused');
END;

CREATE TRIGGER {prefix}event_tags_no_update BEFORE UPDATE ON {prefix}event_tags
BEGIN
    SELECT RAISE(ABORT, 'the log is append-only: UPDATE on {prefix}event_tags is refused');
END;

CREATE TRIGGER {prefix}event_tags_no_delete BEFORE DELETE ON {prefix}event_tags
BEGIN
    SELECT RAISE(ABORT, 'the log is append-only: DELETE on {prefix}event_tags is refused');
END;

-- For people with any SQL tool: the log with instants that can be read.
CREATE VIEW {prefix}log AS
SELECT position, stream, version, type, payload,
       strftime('%Y-%m-%dT%H:%M:%f', recorded_at / 1000000.0, 'unixepoch') || 'Z' AS recorded_at,
       strftime('%Y-%m-%dT%H:%M:%f', coalesce(occurred_at, recorded_at) / 1000000.0, 'unixepoch') || 'Z' AS occurred_at,
       event_id, correlation_id, causation_id, metadata, tags, schema_version
FROM {prefix}events;
