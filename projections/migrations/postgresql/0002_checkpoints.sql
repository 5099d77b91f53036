CREATE TABLE {qualifier}{prefix}checkpoints (
    projection  text NOT NULL,
    target      text NOT NULL,
    number      integer NOT NULL,
    partition   integer NOT NULL,
    position    bigint NOT NULL,
    events      bigint NOT NULL,
    error       text,
    owner       text,
    epoch       bigint NOT NULL,
    until_us    bigint NOT NULL,
    updated_at  bigint NOT NULL,
    PRIMARY KEY (projection, target, number, partition)
);

INSERT INTO {qualifier}{prefix}checkpoints
SELECT projection, target, number, 0, position, events, error, NULL, 0, 0, updated_at FROM {qualifier}{prefix}generations;

ALTER TABLE {qualifier}{prefix}generations
    DROP COLUMN position, DROP COLUMN events, DROP COLUMN error, DROP COLUMN updated_at;

CREATE TABLE {qualifier}{prefix}workers (
    name      text PRIMARY KEY,
    until_us  bigint NOT NULL
);
