-- What composite projections look up: the rows of the projections that they read, as of where each of their generations stands.
CREATE TABLE {qualifier}{prefix}read_rows (
    projection  text COLLATE "C" NOT NULL,
    target      text COLLATE "C" NOT NULL,
    number      bigint NOT NULL,
    source      text COLLATE "C" NOT NULL,
    key         text COLLATE "C" NOT NULL,
    content     text NOT NULL,
    PRIMARY KEY (projection, target, number, source, key)
);
