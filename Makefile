PYTHON ?= python3
export PYTHON
BASE ?= main
ARGS ?=

STACKS := $(patsubst stacks/Pulumi.%.yaml,%,$(wildcard stacks/Pulumi.*.yaml))
SCRIPTS := $(shell find . -name .venv -prune -o -name "*.sh" -print) .ci/run

UNIT := tests/unit
PREVIEW := $(wildcard tests/preview/test_*.py)
# The longest first, so that no long one runs alone at the end.
STEPS := $(shell ls -S tests/scripts/test_*.py)
COMMAND := tests/rehearsal/test_command.py
# The loaded drills run one at a time: they load their machines and measure outages. The light ones mostly wait, so one of
# them runs beside a loaded one.
LOADED_DRILLS := tests/rehearsal/test_aws_wordpress.py tests/rehearsal/test_digitalocean_wordpress.py
LIGHT_DRILLS := tests/rehearsal/test_php_sessions.py tests/rehearsal/test_existing_apache.py
TEST_FILES := $(COMMAND) $(PREVIEW) $(UNIT) $(STEPS) $(LOADED_DRILLS) $(LIGHT_DRILLS)

RUN_TESTS := .venv/bin/python tools/run_tests.py
# Without MAKEFLAGS, make would warn of a --jobs that differs from that of the make above it.
SIDE_BY_SIDE := MAKEFLAGS= $(MAKE) --no-print-directory --keep-going --output-sync

.PHONY: help rehearse preview drill test test-lint test-unit test-preview test-scripts lint docs readme replacements \
	report-picture bench bench-filters \
	test-loaded-drills test-light-drills $(TEST_FILES) $(STACKS:%=drill-%)

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

rehearse: .venv/installed ## rehearse one stack: STACK=aws-wordpress ARGS=…
	@.venv/bin/rehearse drill $(or $(STACK),aws-wordpress) $(ARGS)

preview: .venv/installed ## show what this tree changes in a stack: STACK=… BASE=main
	@.venv/bin/rehearse preview $(or $(STACK),aws-wordpress) --base $(BASE) $(ARGS)

drill: ## rehearse every stack, or only STACK=…
	@$(MAKE) --no-print-directory --keep-going --jobs=1 $(addprefix drill-,$(or $(STACK),$(STACKS)))

$(STACKS:%=drill-%): drill-%: .venv/installed
	@.venv/bin/rehearse drill $* $(ARGS)

# Each group runs to its end, even after a failure; the last line of the recipe reports all results.
test: .venv/installed ## lint, unit tests, steps, drills: 45 minutes, as root
	@$(RUN_TESTS) begin
	-@$(SIDE_BY_SIDE) --jobs=4 $(COMMAND) test-lint $(PREVIEW) $(UNIT) $(STEPS)
	-@$(SIDE_BY_SIDE) --jobs=2 test-loaded-drills test-light-drills
	@$(RUN_TESTS) end lint $(TEST_FILES)

test-unit: .venv/installed ## the tests that need neither root nor Linux
	.venv/bin/pytest $(UNIT)

test-preview: .venv/installed ## previews through the real engine, without root
	.venv/bin/pytest $(PREVIEW)

test-scripts: .venv/installed ## every step on machines booted here, as root
	@$(RUN_TESTS) begin
	-@$(SIDE_BY_SIDE) --jobs=3 $(STEPS)
	@$(RUN_TESTS) end $(STEPS)

$(TEST_FILES): .venv/installed
	@$(RUN_TESTS) run $@

test-loaded-drills:
	@$(SIDE_BY_SIDE) --jobs=1 $(LOADED_DRILLS)

test-light-drills:
	@$(SIDE_BY_SIDE) --jobs=1 $(LIGHT_DRILLS)

test-lint: .venv/installed
	@$(RUN_TESTS) run lint

lint: .venv/installed ## style, types, shell
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/shellcheck $(SCRIPTS)
	.venv/bin/shfmt --diff $(SCRIPTS)

docs: .venv/installed ## write docs/settings.md and stacks/schema.json
	.venv/bin/python -m tools.settings_docs

readme: .venv/installed ## write the README's figures and picture from reports/; needs chromium
	.venv/bin/python -m tools.readme
	@$(MAKE) --no-print-directory report-picture

replacements: .venv/installed ## write the figures of replaced nodes into docs/operations.md from reports/
	.venv/bin/python -m tools.replacements

report-picture: .venv/installed ## take docs/report.png from a report; needs chromium
	.venv/bin/python tools/report_picture.py reports/$(or $(STACK),aws-wordpress)/report.html docs/report.png

bench: bench-filters ## run every benchmark

bench-filters: .venv/installed ## compare our fail2ban filter with the published one
	.venv/bin/python bench/filters.py components/fail2ban/filter.conf

.venv/installed: requirements-dev.txt tools/venv.sh
	@tools/venv.sh
