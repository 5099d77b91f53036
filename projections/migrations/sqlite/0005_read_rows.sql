-- What composite projections look up: the rows of the projections that they read, as of where each of their generations stands.
CREATE TABLE {prefix}read_rows (
    projection  TEXT NOT NULL,
    target      TEXT NOT NULL,
    number      INTEGER NOT NULL,
    source      TEXT NOT NULL,
    key         TEXT NOT NULL,
    content     TEXT NOT NULL,
    PRIMARY KEY (projection, target, number, source, key)
) STRICT, WITHOUT ROWID;
