-- The first columns are those that Debezium's outbox event router reads, under the names that it expects.
CREATE TABLE {qualifier}{prefix}outbox (
    seq            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id             uuid NOT NULL UNIQUE,
    aggregatetype  text COLLATE "C" NOT NULL,
    aggregateid    text COLLATE "C" NOT NULL,
    type           text NOT NULL,
    payload        text NOT NULL,
    headers        text NOT NULL,
    created        bigint NOT NULL,
    attempts       integer NOT NULL DEFAULT 0,
    next_try       bigint NOT NULL DEFAULT 0,
    error          text,
    parked         bigint,
    sent           bigint
);

CREATE INDEX {prefix}outbox_pending ON {qualifier}{prefix}outbox (aggregatetype, aggregateid, seq)
    WHERE sent IS NULL AND parked IS NULL;

CREATE INDEX {prefix}outbox_parked ON {qualifier}{prefix}outbox (aggregatetype, aggregateid, seq)
    WHERE parked IS NOT NULL;

CREATE INDEX {prefix}outbox_sent ON {qualifier}{prefix}outbox (sent) WHERE sent IS NOT NULL;

-- What concerns all relays: one row, by which a relay on SQLite has its turn, and which says why none gets on.
CREATE TABLE {qualifier}{prefix}outbox_relay (
    owner     text NOT NULL,
    until_us  bigint NOT NULL,
    error     text,
    error_at  bigint
);

INSERT INTO {qualifier}{prefix}outbox_relay (owner, until_us) VALUES ('', 0);
