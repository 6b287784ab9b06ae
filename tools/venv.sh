#!/bin/sh
# POSIX. Makes .venv with exactly the pinned packages of requirements-dev.txt and the project itself.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}

stop() {
    echo "$1" >&2
    exit 1
}

# to make .venv again would empty the directory that a link leads to: that of another tree
[ ! -L .venv ] || stop ".venv is a link to $(readlink .venv): make it there, or remove the link"

command -v "$python" >/dev/null ||
    stop "$python is missing: install Python 3.11 or later, or name another one: make PYTHON=python3.12 ..."
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    stop "$python is older than 3.11: name a newer one: make PYTHON=python3.12 ..."

# venv needs ensurepip, which Debian ships in a package of its own
if ! "$python" -c 'import ensurepip' 2>/dev/null; then
    [ "$(id -u)" -eq 0 ] || stop "$python cannot make virtual environments: run 'apt-get install python3-venv' as root"
    export DEBIAN_FRONTEND=noninteractive
    timeout 300 apt-get update -qq
    timeout 300 apt-get install -qq --no-install-recommends python3-venv >/dev/null
fi

# on a terminal pip shows its progress
quiet=
[ -t 2 ] || quiet=--quiet

started=$(date +%s)
echo "Making .venv" >&2
"$python" -m venv --clear .venv
set -- --disable-pip-version-check $quiet
timeout 900 .venv/bin/pip install "$@" --require-hashes -r requirements-dev.txt
timeout 300 .venv/bin/pip install "$@" --no-deps --no-build-isolation --editable .
.venv/bin/pip check >/dev/null
touch .venv/installed
echo "Made .venv in $(($(date +%s) - started)) s" >&2
