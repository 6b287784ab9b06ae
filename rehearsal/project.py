"""Where the project stands, and what Pulumi.yaml calls it."""

from pathlib import Path

REPOSITORY = Path(__file__).parent.parent
PROJECT = "ha-wordpress"
