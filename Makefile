STACK ?= aws-wordpress
BASE ?= main
ARGS ?=
PYTHON ?= python3.11
export PYTHON

SCRIPTS := $(shell find . -name .venv -prune -o -name "*.sh" -print) .ci/run

# The longest first, so that none is left over at the end.
STEPS := $(shell ls -S tests/scripts/test_*.py)
COMMAND := tests/rehearsal/test_command.py
# Alone, as they load their machines and measure what comes of it; the others only wait.
LOADED_DRILLS := tests/rehearsal/test_aws_wordpress.py tests/rehearsal/test_digitalocean_wordpress.py
DRILLS := tests/rehearsal/test_php_sessions.py tests/rehearsal/test_existing_apache.py
MACHINE_TESTS := $(STEPS) $(COMMAND) $(LOADED_DRILLS) $(DRILLS)
SIDE_BY_SIDE := $(MAKE) --keep-going --output-sync

.PHONY: docs rehearse preview test test-unit test-preview test-scripts lint $(MACHINE_TESTS)

# The whole stack on machines booted here, with a drill: `make rehearse STACK=… ARGS=…`; `.venv/bin/rehearse --help` is the rest.
rehearse: .venv/installed
	@.venv/bin/rehearse drill $(STACK) $(ARGS)

preview: .venv/installed ## Show what this tree changes of a stack that a commit deployed: make preview STACK=… BASE=…
	@.venv/bin/rehearse preview $(STACK) --base $(BASE) $(ARGS)

test: lint
	$(SIDE_BY_SIDE) --jobs=3 $(COMMAND) $(STEPS) test-unit test-preview
	$(SIDE_BY_SIDE) --jobs=1 $(LOADED_DRILLS)
	$(SIDE_BY_SIDE) --jobs=2 $(DRILLS)

# What needs neither root nor Linux.
test-unit: .venv/installed
	.venv/bin/pytest tests/unit

# Through the real engine, which is built once; needs no root either.
test-preview: .venv/installed
	.venv/bin/pytest tests/preview

test-scripts: .venv/installed
	$(SIDE_BY_SIDE) --jobs=3 $(STEPS)

# On machines booted here. One that others use as well is noisy: what fails is tried once more, and what fails twice has
# failed. The whole file, on new machines: what failed may have stood on what came before it.
$(MACHINE_TESTS): PYTEST = .venv/bin/pytest -p no:cacheprovider $@
$(MACHINE_TESTS): .venv/installed
	$(PYTEST) || $(PYTEST)

lint: .venv/installed
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/shellcheck $(SCRIPTS)
	.venv/bin/shfmt --diff $(SCRIPTS)

docs: .venv/installed ## Write docs/settings.md and stacks/schema.json from the models of the settings
	.venv/bin/python -m tools.settings_docs

.venv/installed: requirements-dev.txt tools/venv.sh
	@tools/venv.sh

.PHONY: report-picture
report-picture: .venv/installed ## take docs/report.png from the last report of STACK=aws-wordpress; needs chromium
	.venv/bin/python tools/report_picture.py reports/$(or $(STACK),aws-wordpress)/report.html docs/report.png
