"""PHP's sessions on a shared volume."""
