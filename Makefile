# Everything is installed into .venv; it takes Python 3.11 or newer, and nothing else.

PYTHON ?= python3

PIP := .venv/bin/python -m pip --require-virtualenv --disable-pip-version-check --no-input -q
INTACT = test -x .venv/bin/python && test "$$(cat .venv/installed 2>/dev/null)" = "$$(pwd -P)"

.PHONY: help install demo test test-long bench ui constraints clean FORCE

help: ## list these targets
	@awk -F ':[^#]*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

install: .venv/installed ## make .venv with all that the other targets need

demo: install ## score and publish a synthetic population with a database of its own
	@.venv/bin/jv demo

test: install ## linters, types, import rules, tests
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo
	.venv/bin/pytest
	.venv/bin/pytest tests/browser

test-long: install ## the tests that take minutes each: servers and workers killed, the UI driven through whole nights
	.venv/bin/pytest -m long tests/failure
	.venv/bin/pytest -m long tests/browser

bench: install ## measure the speed figures of the README
	@.venv/bin/python -m benchmarks

ui: install ## open Dagster's web pages
	@.venv/bin/jv ui

# Holds the name of the checkout's folder, and is written last: a .venv of an interrupted installation has none, in one
# that was moved it names another folder. Either is made anew.
.venv/installed: pyproject.toml constraints.txt $(shell $(INTACT) || echo FORCE)
	@$(INTACT) || { \
		"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
			echo "This needs Python 3.11 or newer, and $(PYTHON) is not: set it, make PYTHON=/path/to/python3.12" >&2; \
			exit 1; \
		}; \
		rm -f $@ && "$(PYTHON)" -m venv --clear .venv; \
	}
	@rm -f $@
	@echo "Installing into .venv: some minutes the first time"
	@$(PIP) install -c constraints.txt setuptools
	@$(PIP) install -c constraints.txt --no-build-isolation -e '.[dev]'
	@pwd -P >$@

# With the oldest Python that we take, and the newest pip: older ones get lost among old releases of Dagster. PyTorch keeps
# its version: write another in by hand first.
constraints: ## renew constraints.txt with the latest releases
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && trap 'exit 1' INT TERM && \
	echo "Installing the latest releases in a temporary folder: this takes some minutes" && \
	grep '^torch==' constraints.txt >"$$folder/torch" && \
	"$(PYTHON)" -m venv "$$folder/venv" && \
	pip() { "$$folder/venv/bin/python" -m pip --disable-pip-version-check --no-input "$$@"; } && \
	pip install -q --upgrade pip && \
	pip install -q -c "$$folder/torch" -e '.[dev]' && \
	pip freeze --all --exclude pip --exclude-editable >"$$folder/freeze" && \
	{ grep '^#' constraints.txt; sed 's/+.*//' "$$folder/freeze"; } >"$$folder/constraints" && \
	cp "$$folder/constraints" constraints.txt

clean: ## remove .venv and caches; .jv with the data stays
	@if test -e .venv/installed; then .venv/bin/python -c 'from jv_assets import local; local.stop()'; fi || true
	rm -rf .venv *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
