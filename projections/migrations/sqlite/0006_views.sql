CREATE TABLE {prefix}views (
    name          TEXT NOT NULL PRIMARY KEY,
    definition    TEXT NOT NULL,
    shown         TEXT NOT NULL,
    number        INTEGER NOT NULL,
    position      INTEGER NOT NULL,
    events        INTEGER NOT NULL,
    refreshed_at  INTEGER NOT NULL,
    seconds       REAL NOT NULL,
    error         TEXT
) STRICT, WITHOUT ROWID;
