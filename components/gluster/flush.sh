#!/bin/bash
# Writes what the file system of the brick BRICK holds in memory to its disk.
set -euo pipefail
sync --file-system "$BRICK"
