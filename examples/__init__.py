"""Stories that run: each folder is an application of its own."""
