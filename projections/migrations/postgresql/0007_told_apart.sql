-- What is kept of a target whose rows are elsewhere is told apart, by a colon, from what is kept of a table of the same name.
UPDATE {qualifier}{prefix}generations SET target = ':' || target
WHERE (projection, target) NOT IN (
    SELECT g.projection, g.target FROM {qualifier}{prefix}generations g
    WHERE to_regclass('{qualifier}' || quote_ident(g.target || '__g' || g.number)) IS NOT NULL
);

UPDATE {qualifier}{prefix}checkpoints SET target = ':' || target
WHERE (projection, target) NOT IN (SELECT projection, target FROM {qualifier}{prefix}generations);

UPDATE {qualifier}{prefix}parked SET target = ':' || target
WHERE (projection, target) NOT IN (SELECT projection, target FROM {qualifier}{prefix}generations);

-- One that was paused before there were any rows may be of either kind, and is paused as both.
INSERT INTO {qualifier}{prefix}paused (projection, target, paused_at)
SELECT projection, ':' || target, paused_at FROM {qualifier}{prefix}paused
WHERE (projection, target) NOT IN (SELECT projection, target FROM {qualifier}{prefix}generations);

DELETE FROM {qualifier}{prefix}paused WHERE (projection, ':' || target) IN (SELECT projection, target FROM {qualifier}{prefix}generations);

-- Of two versions of the code that say different SQL, the one whose SQL was made later keeps the view.
ALTER TABLE {qualifier}{prefix}views ADD COLUMN superseded text NOT NULL DEFAULT '[]';
