CREATE TABLE {qualifier}{prefix}schedules (
    id           text COLLATE "C" NOT NULL PRIMARY KEY,
    name         text COLLATE "C" UNIQUE,
    declared     smallint NOT NULL,
    command      text NOT NULL,
    data         text NOT NULL,
    carried      text NOT NULL,
    recurrence   text NOT NULL,
    missed       text NOT NULL,
    state        text NOT NULL,
    due_at       bigint NOT NULL,
    look_at      bigint NOT NULL,
    owner        text,
    attempts     integer NOT NULL,
    fired        bigint NOT NULL,
    error        text,
    made_at      bigint NOT NULL,
    ended_at     bigint
) WITH (fillfactor = 80);

CREATE INDEX {prefix}schedules_waiting ON {qualifier}{prefix}schedules (look_at) WHERE state = 'waiting';
CREATE INDEX {prefix}schedules_ended ON {qualifier}{prefix}schedules (ended_at) WHERE state IN ('done', 'cancelled');
