"""PHP sessions on a shared volume."""
