-- COLLATE "C": names are ordered by their bytes, as on SQLite, so that a category is a range of the index.
CREATE TABLE {qualifier}{prefix}events (
    position        bigint PRIMARY KEY,
    stream          text COLLATE "C" NOT NULL,
    version         bigint NOT NULL CHECK (version > 0),
    recorded_at     bigint NOT NULL,
    type            text COLLATE "C" NOT NULL,
    schema_version  integer NOT NULL,
    event_id        uuid NOT NULL,
    occurred_at     bigint,
    correlation_id  text,
    causation_id    text,
    metadata        text,
    tags            text,
    payload         text NOT NULL
);

CREATE UNIQUE INDEX {prefix}events_stream ON {qualifier}{prefix}events (stream, version);

CREATE UNIQUE INDEX {prefix}events_id ON {qualifier}{prefix}events (event_id);

-- No foreign key to the events: checking it costs more than writing the row, and only append() writes here.
CREATE TABLE {qualifier}{prefix}event_tags (
    tag       text COLLATE "C" NOT NULL,
    type      text COLLATE "C" NOT NULL,
    position  bigint NOT NULL,
    PRIMARY KEY (tag, type, position)
);

-- CACHE 1: the horizon needs every process to draw its positions from the same counter.
CREATE SEQUENCE {qualifier}{prefix}positions AS bigint CACHE 1 OWNED BY {qualifier}{prefix}events.position;

CREATE FUNCTION {qualifier}{prefix}refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the log is append-only: % on % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'object_not_in_prerequisite_state';
END $$;

CREATE TRIGGER {prefix}events_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {qualifier}{prefix}events
    FOR EACH STATEMENT EXECUTE FUNCTION {qualifier}{prefix}refuse();

CREATE TRIGGER {prefix}event_tags_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {qualifier}{prefix}event_tags
    FOR EACH STATEMENT EXECUTE FUNCTION {qualifier}{prefix}refuse();

-- Appends in flight. Each holds a shared advisory lock of the class that is the sequence's own oid, so that two logs in
-- one database never hold each other back; the key is the sequence's last value before the append drew its positions,
-- modulo 2^31. Keys are unwrapped around the last value of now: an append a little ahead of it is not behind by 2^31.
CREATE FUNCTION {qualifier}{prefix}in_flight(last_position bigint) RETURNS TABLE (pid integer, behind bigint)
LANGUAGE sql VOLATILE AS $$
    SELECT held.pid, last_position + CASE WHEN held.ahead < 1073741824 THEN held.ahead ELSE held.ahead - 2147483648 END
    FROM (
        SELECT l.pid, (l.objid::bigint - last_position) & 2147483647 AS ahead
        FROM pg_locks l
        WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND l.classid = '{qualifier}{prefix}positions'::regclass
          AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
    ) AS held
$$;

-- The position up to which the log is complete. The order is what makes it right: first the last value, then the locks;
-- the caller then reads with a newer snapshot. Whoever drew a position up to the last value had its lock before that,
-- and whoever has let go of its lock is visible to a snapshot taken later.
CREATE FUNCTION {qualifier}{prefix}horizon() RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    last_drawn bigint;
    lowest bigint;
BEGIN
    IF pg_is_in_recovery() THEN
        RAISE EXCEPTION 'a standby does not know the appends in flight: read the log from the primary'
            USING ERRCODE = 'feature_not_supported';
    END IF;
    SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END INTO last_drawn FROM {qualifier}{prefix}positions;
    SELECT min(f.behind) INTO lowest FROM {qualifier}{prefix}in_flight(last_drawn) AS f;
    RETURN least(last_drawn, lowest);
END $$;

-- A position after `seen` of an event that has one of the types (any where there are none) and all of the tags. Types
-- and tags are separated by U+001F. Of several tags, the one with the fewest events after the position drives.
CREATE FUNCTION {qualifier}{prefix}match_after(seen bigint, type_names text, tag_names text) RETURNS bigint
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    item_types text[] := string_to_array(type_names, E'\x1f');
    item_tags text[] := string_to_array(tag_names, E'\x1f');
    match bigint;
BEGIN
    IF cardinality(item_tags) = 0 THEN
        SELECT e.position INTO match FROM {qualifier}{prefix}events e
        WHERE e.position > seen AND e.type = ANY (item_types) ORDER BY e.position LIMIT 1;
        RETURN match;
    END IF;
    IF cardinality(item_types) = 0 THEN
        item_types := ARRAY(
            WITH RECURSIVE hop(type) AS (
                SELECT min(t.type) FROM {qualifier}{prefix}event_tags t WHERE t.tag = item_tags[1]
                UNION ALL
                SELECT (SELECT min(t.type) FROM {qualifier}{prefix}event_tags t
                        WHERE t.tag = item_tags[1] AND t.type > hop.type)
                FROM hop WHERE hop.type IS NOT NULL
            )
            SELECT hop.type FROM hop WHERE hop.type IS NOT NULL);
    END IF;
    IF cardinality(item_tags) = 1 THEN
        SELECT first.position INTO match FROM unnest(item_types) AS wanted(type), LATERAL (
            SELECT t.position FROM {qualifier}{prefix}event_tags t
            WHERE t.tag = item_tags[1] AND t.type = wanted.type AND t.position > seen
            ORDER BY t.position LIMIT 1) AS first
        LIMIT 1;
        RETURN match;
    END IF;
    WITH driver AS MATERIALIZED (
        SELECT each.tag FROM unnest(item_tags) AS each(tag) ORDER BY (
            SELECT count(*) FROM unnest(item_types) AS wanted(type), LATERAL (
                SELECT FROM {qualifier}{prefix}event_tags t
                WHERE t.tag = each.tag AND t.type = wanted.type AND t.position > seen LIMIT 100) AS few
        ) LIMIT 1
    )
    SELECT first.position INTO match FROM driver, unnest(item_types) AS wanted(type), LATERAL (
        SELECT t.position FROM {qualifier}{prefix}event_tags t
        WHERE t.tag = driver.tag AND t.type = wanted.type AND t.position > seen
          AND cardinality(item_tags) = (
            SELECT count(*) FROM {qualifier}{prefix}event_tags o
            WHERE o.tag = ANY (item_tags) AND o.type = wanted.type AND o.position = t.position)
        ORDER BY t.position LIMIT 1) AS first
    LIMIT 1;
    RETURN match;
END $$;

-- Stores a group of appends, all or none, and says what it found: see eventstore/backends/postgresql/batch.py for the
-- arguments. Texts hold one value for each event, separated by U+001E, in which U+001F alone stands for NULL: splitting
-- one text is far cheaper than what a driver does to adapt a list. `first_position` is NULL where nothing was stored,
-- and `repeated` says that one of the ids which the callers chose is in the log already.
CREATE FUNCTION {qualifier}{prefix}append(
    streams text, expected bigint[],
    event_streams text, event_writes integer[], event_offsets integer[], event_ranks integer[],
    types text, schema_versions integer[], event_ids text, occurred text, correlation_ids text, causation_ids text,
    metadatas text, tag_lists text, payloads text,
    tag_names text, tag_types text, tag_ranks integer[],
    lock_keys integer[], lock_exclusive boolean[],
    item_after bigint[], item_types text, item_tags text, own_ids text,
    OUT versions bigint[], OUT conflicts bigint[], OUT first_position bigint, OUT positions bigint[], OUT repeated boolean
) LANGUAGE plpgsql VOLATILE SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    now_us bigint;
    expected_found boolean;
BEGIN
    PERFORM CASE WHEN k.exclusive
        THEN pg_advisory_xact_lock('{qualifier}{prefix}event_tags'::regclass::oid::integer, k.key)
        ELSE pg_advisory_xact_lock_shared('{qualifier}{prefix}event_tags'::regclass::oid::integer, k.key) END
    FROM unnest(lock_keys, lock_exclusive) AS k(key, exclusive);
    IF item_after IS NOT NULL THEN
        IF current_setting('transaction_isolation') <> 'read committed' THEN
            RAISE EXCEPTION 'an append condition needs the isolation level READ COMMITTED, this transaction has %',
                current_setting('transaction_isolation') USING ERRCODE = 'feature_not_supported';
        END IF;
        conflicts := ARRAY(
            SELECT {qualifier}{prefix}match_after(i.after, coalesce(i.types, ''), coalesce(i.tags, ''))
            FROM unnest(item_after, string_to_array(item_types, E'\x1e'), string_to_array(item_tags, E'\x1e'))
                AS i(after, types, tags));
    END IF;
    IF own_ids IS NOT NULL THEN
        repeated := EXISTS (
            SELECT FROM {qualifier}{prefix}events e WHERE e.event_id = ANY (string_to_array(own_ids, E'\x1e')::uuid[]));
    END IF;
    SELECT array_agg(w.actual), bool_and(w.wanted = -1 OR w.wanted = w.actual OR (w.wanted = -2 AND w.actual > 0))
    INTO versions, expected_found
    FROM (
        SELECT each.wanted, coalesce((SELECT e.version FROM {qualifier}{prefix}events e
                                      WHERE e.stream = each.stream ORDER BY e.version DESC LIMIT 1), 0) AS actual
        FROM unnest(string_to_array(streams, E'\x1e'), expected) AS each(stream, wanted)
    ) AS w;
    IF repeated OR NOT expected_found OR num_nulls(VARIADIC conflicts) < cardinality(conflicts) THEN
        RETURN;
    END IF;
    -- The lock comes first: each row of the series needs the row of the lock.
    positions := ARRAY(
        WITH in_flight AS MATERIALIZED (
            SELECT pg_advisory_xact_lock_shared(
                '{qualifier}{prefix}positions'::regclass::oid::integer,
                ((CASE WHEN p.is_called THEN p.last_value ELSE p.last_value - 1 END) & 2147483647)::integer)
            FROM {qualifier}{prefix}positions AS p)
        SELECT nextval('{qualifier}{prefix}positions') FROM in_flight, generate_series(1, cardinality(event_writes)));
    now_us := (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;
    INSERT INTO {qualifier}{prefix}events
    SELECT coalesce(positions[e.rank], e.position), e.stream, versions[e.write] + e.step, now_us, e.type, e.schema_version,
           e.event_id, e.occurred_at, e.correlation_id, e.causation_id, e.metadata, e.tags, e.payload
    FROM unnest(
        positions, string_to_array(event_streams, E'\x1e'), event_writes, event_offsets, event_ranks,
        string_to_array(types, E'\x1e'), schema_versions, string_to_array(event_ids, E'\x1e')::uuid[],
        string_to_array(occurred, E'\x1e', E'\x1f')::bigint[], string_to_array(correlation_ids, E'\x1e', E'\x1f'),
        string_to_array(causation_ids, E'\x1e', E'\x1f'), string_to_array(metadatas, E'\x1e', E'\x1f'),
        string_to_array(tag_lists, E'\x1e', E'\x1f'), string_to_array(payloads, E'\x1e')
    ) AS e(position, stream, write, step, rank, type, schema_version, event_id, occurred_at, correlation_id, causation_id,
           metadata, tags, payload);
    IF tag_names IS NOT NULL THEN
        INSERT INTO {qualifier}{prefix}event_tags
        SELECT t.tag, t.type, positions[t.rank]
        FROM unnest(string_to_array(tag_names, E'\x1e'), string_to_array(tag_types, E'\x1e'), tag_ranks)
            AS t(tag, type, rank);
    END IF;
    first_position := positions[1];
    IF positions[cardinality(positions)] - first_position = cardinality(positions) - 1 THEN
        positions := NULL;  -- without gaps, the first says it all
    END IF;
END $$;

-- The lowest position up to `last_position` whose event was recorded after the instant, or the next one. Positions are
-- drawn a moment before or after the clock is read, so `recorded_at` ascends along the log only nearly: bisection finds
-- the neighbourhood, and a look at some thousand positions below it finds the lowest.
CREATE FUNCTION {qualifier}{prefix}first_recorded_after(instant bigint, last_position bigint) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
DECLARE
    low bigint := 1;
    high bigint := last_position + 1;
    middle bigint;
    recorded bigint;
    lowest bigint;
BEGIN
    WHILE low < high LOOP
        middle := (low + high) / 2;
        SELECT e.recorded_at INTO recorded FROM {qualifier}{prefix}events e
        WHERE e.position >= middle AND e.position <= last_position ORDER BY e.position LIMIT 1;
        IF NOT FOUND OR recorded > instant THEN
            high := middle;
        ELSE
            low := middle + 1;
        END IF;
    END LOOP;
    SELECT min(e.position) INTO lowest FROM {qualifier}{prefix}events e
    WHERE e.position > low - 5000 AND e.position <= last_position AND (e.position >= low OR e.recorded_at > instant);
    RETURN coalesce(lowest, last_position + 1);
END $$;

-- For people with any SQL tool: the log with instants that can be read.
CREATE VIEW {qualifier}{prefix}log AS
SELECT position, stream, version, type, payload,
       to_timestamp(recorded_at / 1000000.0) AS recorded_at,
       to_timestamp(coalesce(occurred_at, recorded_at) / 1000000.0) AS occurred_at,
       event_id, correlation_id, causation_id, metadata, tags, schema_version
FROM {qualifier}{prefix}events;
