CREATE TABLE {qualifier}{prefix}inbox_positions (
    consumer_group  text COLLATE "C" NOT NULL,
    channel         text COLLATE "C" NOT NULL,
    part            integer NOT NULL,
    position        text,
    moves           bigint NOT NULL DEFAULT 0,
    moved_at        bigint,
    PRIMARY KEY (consumer_group, channel, part)
) WITH (fillfactor = 50);

CREATE TABLE {qualifier}{prefix}inbox_leases (
    consumer_group  text COLLATE "C" NOT NULL,
    channel         text COLLATE "C" NOT NULL,
    part            integer NOT NULL,
    owner           text NOT NULL,
    owned_until     bigint NOT NULL,
    PRIMARY KEY (consumer_group, channel, part)
);

CREATE TABLE {qualifier}{prefix}inbox_readers (
    consumer_group  text COLLATE "C" NOT NULL,
    channel         text COLLATE "C" NOT NULL,
    name            text COLLATE "C" NOT NULL,
    alive_until     bigint NOT NULL,
    PRIMARY KEY (consumer_group, channel, name)
);

CREATE TABLE {qualifier}{prefix}inbox_handled (
    consumer_group  text COLLATE "C" NOT NULL,
    source          text COLLATE "C" NOT NULL,
    id              text COLLATE "C" NOT NULL,
    handled_at      bigint NOT NULL,
    PRIMARY KEY (consumer_group, source, id)
);

CREATE INDEX {prefix}inbox_handled_by_age ON {qualifier}{prefix}inbox_handled (handled_at);

CREATE TABLE {qualifier}{prefix}inbox (
    number          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer_group  text COLLATE "C" NOT NULL,
    channel         text COLLATE "C" NOT NULL,
    part            integer NOT NULL,
    position        text NOT NULL,
    key             text COLLATE "C",
    source          text,
    id              text,
    type            text,
    attributes      text,
    body            bytea NOT NULL,
    attempts        integer NOT NULL,
    error           text,
    next_try        bigint,
    kept_at         bigint NOT NULL
);

CREATE INDEX {prefix}inbox_by_key ON {qualifier}{prefix}inbox (consumer_group, channel, part, key, number);
CREATE INDEX {prefix}inbox_due ON {qualifier}{prefix}inbox (consumer_group, channel, part, next_try) WHERE next_try IS NOT NULL;
