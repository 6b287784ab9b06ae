"""WordPress: its code, its configuration, its installation."""
