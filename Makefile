STACK ?= aws-wordpress
ARGS ?=
PYTHON ?= python3.11
export PYTHON

SCRIPTS := $(shell find . -name .venv -prune -o -name "*.sh" -print) .ci/run

.PHONY: rehearse test test-unit lint

# The whole stack on machines booted here, with a drill: `make rehearse STACK=… ARGS=…`; `.venv/bin/rehearse --help` is the rest.
rehearse: .venv/installed
	@.venv/bin/rehearse drill $(STACK) $(ARGS)

test: lint test-unit
	.venv/bin/pytest tests/scripts
	.venv/bin/pytest tests/rehearsal

# What needs neither root nor Linux.
test-unit: .venv/installed
	.venv/bin/pytest tests/unit

lint: .venv/installed
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/shellcheck $(SCRIPTS)

.venv/installed: requirements-dev.txt tools/venv.sh
	@tools/venv.sh
