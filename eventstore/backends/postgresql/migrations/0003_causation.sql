-- Finds what an event has led to. Events that say no cause are not in it.
CREATE INDEX {prefix}events_causation ON {qualifier}{prefix}events (causation_id) WHERE causation_id IS NOT NULL;
