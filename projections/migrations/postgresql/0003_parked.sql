CREATE TABLE {qualifier}{prefix}parked (
    projection  text NOT NULL,
    target      text NOT NULL,
    number      integer NOT NULL,
    partition   integer NOT NULL,
    key         text COLLATE "C" NOT NULL,
    position    bigint NOT NULL,
    error       text,
    attempts    integer NOT NULL,
    parked_at   bigint NOT NULL,
    PRIMARY KEY (projection, target, number, partition, key, position)
);

ALTER TABLE {qualifier}{prefix}checkpoints
    ADD COLUMN parked bigint NOT NULL DEFAULT 0,
    ADD COLUMN discarded bigint NOT NULL DEFAULT 0,
    ADD COLUMN rate double precision NOT NULL DEFAULT 0;

CREATE TABLE {qualifier}{prefix}paused (
    projection  text NOT NULL,
    target      text NOT NULL,
    paused_at   bigint NOT NULL,
    PRIMARY KEY (projection, target)
);
