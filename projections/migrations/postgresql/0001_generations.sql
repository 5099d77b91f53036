CREATE TABLE {qualifier}{prefix}generations (
    projection   text NOT NULL,
    target       text NOT NULL,
    number       integer NOT NULL,
    state        text NOT NULL CHECK (state IN ('building', 'live', 'retired')),
    fingerprint  text NOT NULL,
    position     bigint NOT NULL,
    events       bigint NOT NULL,
    error        text,
    updated_at   bigint NOT NULL,
    PRIMARY KEY (projection, target, number)
);

CREATE UNIQUE INDEX {prefix}generations_live ON {qualifier}{prefix}generations (projection, target) WHERE state = 'live';
