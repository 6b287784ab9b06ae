"""The report: its data, the terminal table, the page."""
