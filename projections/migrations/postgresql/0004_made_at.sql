ALTER TABLE {qualifier}{prefix}generations ADD COLUMN made_at bigint NOT NULL DEFAULT 0;
