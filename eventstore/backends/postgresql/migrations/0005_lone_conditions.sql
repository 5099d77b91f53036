-- The same as before, found sooner. Of several tags, the rarest decides: each is looked at ever further, the last one first
-- (people write from the general to the particular), until one of them ends. So a look costs as much as the rarest has
-- entries, however frequent the others are.
CREATE OR REPLACE FUNCTION {qualifier}{prefix}match_after(seen bigint, type_names text, tag_names text) RETURNS bigint
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    item_types text[] := string_to_array(type_names, E'\x1f');
    item_tags text[] := string_to_array(tag_names, E'\x1f');
    tags_count integer := cardinality(item_tags);
    reach bigint := 16;
    looked_at bigint;
    match bigint;
BEGIN
    IF tags_count = 0 THEN
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
    IF tags_count = 1 THEN
        SELECT first.position INTO match FROM unnest(item_types) AS wanted(type), LATERAL (
            SELECT t.position FROM {qualifier}{prefix}event_tags t
            WHERE t.tag = item_tags[1] AND t.type = wanted.type AND t.position > seen
            ORDER BY t.position LIMIT 1) AS first
        LIMIT 1;
        RETURN match;
    END IF;
    LOOP
        FOR i IN REVERSE tags_count .. 1 LOOP
            SELECT count(*), min(few.position) FILTER (WHERE tags_count = (
                SELECT count(*) FROM {qualifier}{prefix}event_tags o
                WHERE o.tag = ANY (item_tags) AND o.type = few.type AND o.position = few.position))
            INTO looked_at, match
            FROM unnest(item_types) AS wanted(type), LATERAL (
                SELECT t.type, t.position FROM {qualifier}{prefix}event_tags t
                WHERE t.tag = item_tags[i] AND t.type = wanted.type AND t.position > seen LIMIT reach) AS few;
            IF match IS NOT NULL OR looked_at < reach THEN
                RETURN match;
            END IF;
        END LOOP;
        reach := reach * 16;
    END LOOP;
END $$;

-- Stores one event, whatever its tags and whatever it depends on; NULLs where it is refused, and `append` has to say why.
-- The arguments are those of `append`, for one event.
CREATE FUNCTION {qualifier}{prefix}append_lone(
    in_stream text, expected bigint, in_type text, in_schema integer, in_event_id uuid, in_occurred bigint,
    in_correlation_id text, in_causation_id text, in_metadata text, in_tags text, in_payload text, tag_names text,
    lock_keys integer[], lock_exclusive boolean[], item_after bigint[], item_types text, item_tags text,
    OUT reached bigint, OUT stored bigint
) LANGUAGE plpgsql VOLATILE SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    actual bigint;
    types text[];
    tags text[];
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
        types := string_to_array(item_types, E'\x1e');
        tags := string_to_array(item_tags, E'\x1e');
        FOR i IN 1 .. cardinality(item_after) LOOP
            IF {qualifier}{prefix}match_after(item_after[i], coalesce(types[i], ''), coalesce(tags[i], '')) IS NOT NULL THEN
                RETURN;
            END IF;
        END LOOP;
    END IF;
    -- The lock comes first: the next position is drawn by the statement after it.
    SELECT coalesce((SELECT e.version FROM {qualifier}{prefix}events e WHERE e.stream = in_stream AND e.version >= expected
                     ORDER BY e.version DESC LIMIT 1), 0)
    INTO actual
    FROM (SELECT pg_advisory_xact_lock_shared(
              '{qualifier}{prefix}positions'::regclass::oid::integer,
              ((CASE WHEN p.is_called THEN p.last_value ELSE p.last_value - 1 END) & 2147483647)::integer)
          FROM {qualifier}{prefix}positions AS p OFFSET 0) AS in_flight;
    IF expected <> -1 AND expected <> actual AND NOT (expected = -2 AND actual > 0) THEN
        RETURN;
    END IF;
    stored := nextval('{qualifier}{prefix}positions');
    INSERT INTO {qualifier}{prefix}events VALUES (
        stored, in_stream, actual + 1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, in_type, in_schema,
        in_event_id, in_occurred, in_correlation_id, in_causation_id, in_metadata, in_tags, in_payload);
    IF tag_names IS NOT NULL THEN
        INSERT INTO {qualifier}{prefix}event_tags
        SELECT t.tag, in_type, stored FROM unnest(string_to_array(tag_names, E'\x1e')) AS t(tag);
    END IF;
    reached := actual + 1;
END $$;
