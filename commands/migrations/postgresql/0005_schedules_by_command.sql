CREATE INDEX {prefix}schedules_by_command ON {qualifier}{prefix}schedules (command, look_at) WHERE state = 'waiting';
DROP INDEX {qualifier}{prefix}schedules_waiting;

CREATE INDEX {prefix}schedules_by_end ON {qualifier}{prefix}schedules (state, ended_at) WHERE ended_at IS NOT NULL;
DROP INDEX {qualifier}{prefix}schedules_ended;
