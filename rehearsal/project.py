"""Directory of the project, and its name in Pulumi.yaml."""

from pathlib import Path

REPOSITORY = Path(__file__).parent.parent
PROJECT = "ha-wordpress"
