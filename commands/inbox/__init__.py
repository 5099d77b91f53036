"""The inbox: what a service does with messages of others, exactly once in effect and in order."""
