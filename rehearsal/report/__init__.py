"""The report of a rehearsal: its data, the terminal output and the page."""
