CREATE TABLE {qualifier}{prefix}views (
    name          text PRIMARY KEY,
    definition    text NOT NULL,
    shown         text NOT NULL,
    number        integer NOT NULL,
    position      bigint NOT NULL,
    events        bigint NOT NULL,
    refreshed_at  bigint NOT NULL,
    seconds       double precision NOT NULL,
    error         text
);
