"""The tests: `unit` needs no root, `scripts` and `rehearsal` boot machines."""
