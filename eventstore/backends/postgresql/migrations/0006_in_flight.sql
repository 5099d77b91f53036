-- A STABLE function becomes part of the statement that calls it, where the plan of a VOLATILE one is made anew at each call:
-- a third of the time of a poll. Which locks it sees is no matter of snapshots, so nothing else changes: `horizon`, which needs
-- a new snapshot for each of its statements, stays VOLATILE.
ALTER FUNCTION {qualifier}{prefix}in_flight(bigint) STABLE;
