-- What is kept of a target whose rows are elsewhere is told apart, by a colon, from what is kept of a table of the same name.
UPDATE {prefix}generations SET target = ':' || target
WHERE (projection, target) NOT IN (
    SELECT g.projection, g.target FROM {prefix}generations g
    WHERE EXISTS (SELECT 1 FROM sqlite_master m WHERE m.type = 'table' AND m.name = g.target || '__g' || g.number)
);

UPDATE {prefix}checkpoints SET target = ':' || target
WHERE (projection, target) NOT IN (SELECT projection, target FROM {prefix}generations);

UPDATE {prefix}parked SET target = ':' || target
WHERE (projection, target) NOT IN (SELECT projection, target FROM {prefix}generations);

-- One that was paused before there were any rows may be of either kind, and is paused as both.
INSERT INTO {prefix}paused (projection, target, paused_at)
SELECT projection, ':' || target, paused_at FROM {prefix}paused
WHERE (projection, target) NOT IN (SELECT projection, target FROM {prefix}generations);

DELETE FROM {prefix}paused WHERE (projection, ':' || target) IN (SELECT projection, target FROM {prefix}generations);

-- Of two versions of the code that say different SQL, the one whose SQL was made later keeps the view.
ALTER TABLE {prefix}views ADD COLUMN superseded TEXT NOT NULL DEFAULT '[]';
