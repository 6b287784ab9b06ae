STACK ?= aws-wordpress
ARGS ?=
PYTHON ?= python3.11
export PYTHON

SCRIPTS := $(shell find . -name .venv -prune -o -name "*.sh" -print) .ci/run

# The longest first, so that none is left over at the end.
SCRIPT_TESTS := $(shell ls -S tests/scripts/test_*.py)

.PHONY: rehearse test test-unit test-scripts lint $(SCRIPT_TESTS)

# The whole stack on machines booted here, with a drill: `make rehearse STACK=… ARGS=…`; `.venv/bin/rehearse --help` is the rest.
rehearse: .venv/installed
	@.venv/bin/rehearse drill $(STACK) $(ARGS)

test: lint test-unit test-scripts
	.venv/bin/pytest tests/rehearsal || .venv/bin/pytest --last-failed tests/rehearsal

# What needs neither root nor Linux.
test-unit: .venv/installed
	.venv/bin/pytest tests/unit

# Two at a time, as they wait more than they work; the drills come after them and alone, as they measure. A machine that
# others use as well is noisy: what fails is tried once more, and what fails twice has failed.
test-scripts: .venv/installed
	$(MAKE) --jobs=2 --keep-going --output-sync $(SCRIPT_TESTS)

# Once more is the whole file, on new machines: what failed may have stood on what came before it.
$(SCRIPT_TESTS): PYTEST = .venv/bin/pytest -p no:cacheprovider $@
$(SCRIPT_TESTS): .venv/installed
	$(PYTEST) || $(PYTEST)

lint: .venv/installed
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/shellcheck $(SCRIPTS)

.venv/installed: requirements-dev.txt tools/venv.sh
	@tools/venv.sh
