"""One rehearsal from start to end: its namespaces, the run inside them, and the search for leaks."""
