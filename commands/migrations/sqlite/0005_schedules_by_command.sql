CREATE INDEX {prefix}schedules_by_command ON {prefix}schedules (command, look_at) WHERE state = 'waiting';
DROP INDEX {prefix}schedules_waiting;

CREATE INDEX {prefix}schedules_by_end ON {prefix}schedules (state, ended_at) WHERE ended_at IS NOT NULL;
DROP INDEX {prefix}schedules_ended;
