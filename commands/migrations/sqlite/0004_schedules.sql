CREATE TABLE {prefix}schedules (
    id           TEXT NOT NULL PRIMARY KEY,
    name         TEXT UNIQUE,
    declared     INTEGER NOT NULL,
    command      TEXT NOT NULL,
    data         TEXT NOT NULL,
    carried      TEXT NOT NULL,
    recurrence   TEXT NOT NULL,
    missed       TEXT NOT NULL,
    state        TEXT NOT NULL,
    due_at       INTEGER NOT NULL,
    look_at      INTEGER NOT NULL,
    owner        TEXT,
    attempts     INTEGER NOT NULL,
    fired        INTEGER NOT NULL,
    error        TEXT,
    made_at      INTEGER NOT NULL,
    ended_at     INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX {prefix}schedules_waiting ON {prefix}schedules (look_at) WHERE state = 'waiting';
CREATE INDEX {prefix}schedules_ended ON {prefix}schedules (ended_at) WHERE state IN ('done', 'cancelled');
