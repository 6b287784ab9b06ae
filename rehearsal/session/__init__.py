"""One rehearsal from start to end: its namespaces, the run inside them, what it may leave behind."""
