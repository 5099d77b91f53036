"""The databases that hold the log, one folder each, chosen by URL."""
