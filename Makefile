# Everything is installed into .venv; it takes Python 3.11 or newer, and nothing else.

PYTHON ?= python3

PIP := .venv/bin/python -m pip --require-virtualenv --disable-pip-version-check --no-input
# Nothing is built: what a source would need for that, no hash here would vouch for.
LOCKED := install --no-compile --no-deps --only-binary :all: --require-hashes -r
# Installs, and says every 20 packages and at each large file that it goes on; the exit code is that of pip.
SHOWN = { { $(PIP) $(LOCKED) $(1); echo $$? >.venv/code; } | awk '/^ *Collecting/ && !(++n % 20) { print "  " n " packages" } \
	/^ *Downloading.*[0-9][0-9][.0-9]* MB/ || /^Installing/ { print "  " substr($$0, 1, 70) } { fflush() }'; exit $$(cat .venv/code); }
INTACT = test -x .venv/bin/python && test "$$(cat .venv/installed 2>/dev/null)" = "$$(pwd -P)"

.PHONY: help install demo test test-fast wheel programs lint types test-browser test-long bench bench-large bench-workers soak docs ui constraints audit clean FORCE

help: ## list these targets
	@awk -F ':[^#]*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

install: .venv/installed ## make .venv with all that the other targets need

demo: install ## score and publish a synthetic population with a database of its own
	@.venv/bin/jv demo

test: programs install lint ## install what the tests need, then linters, types, import rules, all tests but the long ones
	@# together: to check the types takes one processor, and what is tested in the browser often waits for it
	@$(MAKE) --no-print-directory -j 3 types docs test-browser
	@# one thread each: threads that wait for a processor that another process has cost half as much again
	OMP_NUM_THREADS=1 .venv/bin/pytest -n 4 --dist loadfile --no-loadscope-reorder

test-fast: install lint types ## linters, types, and the tests that need no program beside Python
	OMP_NUM_THREADS=1 .venv/bin/pytest -n 4 --dist loadfile tests/scoring tests/demo tests/definitions tests/checks tests/ratings tests/reports

wheel: install ## build the package for pip, into build/wheel
	@rm -rf build/lib build/bdist.* build/wheel
	@$(PIP) -q wheel --no-deps --no-build-isolation --no-index --wheel-dir build/wheel .

# Before anything else, so that what is missing is said at once and not after a quarter of an hour.
programs: ## install the programs that the tests need, or name them
	@.ci/system-packages

lint: install ## linters, import rules, and whether Dagster loads the definitions
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/lint-imports --no-logo
	@# in an instance of its own: that of the checkout would start the embedded Postgres
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && echo 'telemetry: {enabled: false}' >"$$folder/dagster.yaml" && \
		DAGSTER_HOME="$$folder" .venv/bin/dg check defs

types: install ## check the types
	@.venv/bin/mypy

test-browser: install ## the tests of the pages in a browser
	.venv/bin/pytest tests/browser

test-long: install ## the tests that take minutes each: servers and workers killed, odd databases, what the documentation types, whole nights in the UI
	.venv/bin/pytest -m long tests/scoring
	.venv/bin/pytest -m long tests/failure
	.venv/bin/pytest -m long tests/database
	.venv/bin/pytest -m long tests/docs
	.venv/bin/pytest -m long tests/browser

soak: install ## fifty nights with edits: is every night right, and does anything grow (half an hour)
	@JV_ID_RANGES=8 .venv/bin/python -m benchmarks.soak

bench: install ## measure the speed figures of the README
	@.venv/bin/python -m benchmarks

bench-large: install ## a million matches and two, discovery at two sizes, a million profiles unmatched (two hours, 20 GB of disk)
	@.venv/bin/python -m benchmarks large

bench-workers: install ## what a second worker of Celery is worth (a quarter of an hour; needs a redis-server)
	@.venv/bin/python -m benchmarks.scale_out

docs: install ## build the pages of docs/ into build/site
	@NO_MKDOCS_2_WARNING=1 .venv/bin/python -m mkdocs build --strict --quiet
	@echo "Open $$(pwd)/build/site/index.html: its pages and its search need no server and no net."

ui: install ## open Dagster's web pages
	@.venv/bin/jv ui

# Holds the name of the checkout's folder, and is written last: a .venv of an interrupted installation has none, in one
# that was moved it names another folder. Either is made anew.
.venv/installed: pyproject.toml $(wildcard constraints*.txt) $(shell $(INTACT) || echo FORCE)
	@$(INTACT) || { \
		"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
			echo "This needs Python 3.11 or newer, and $(PYTHON) is not: set it, make PYTHON=/path/to/python3.12" >&2; \
			exit 1; \
		}; \
		rm -f $@ && "$(PYTHON)" -m venv --clear .venv; \
	}
	@rm -f $@
	@echo "Installing into .venv: some minutes the first time"
	@if $(PIP) index versions torch 2>/dev/null | grep -qF "$$(sed -n 's/^torch==\([^ ]*\).*/\1/p' constraints-cpu.txt)"; \
		then $(call SHOWN,constraints-cpu.txt); else $(call SHOWN,constraints-gpu.txt); fi
	@$(call SHOWN,constraints.txt)
	@$(PIP) -q install --no-deps --no-build-isolation -e .
	@$(PIP) -q check
	@# pip would use one processor for that; a file of a package's that is no Python of today is no error
	@.venv/bin/python -m compileall -q -j 0 .venv/lib >/dev/null || true
	@pwd -P >$@

# For all Pythons and systems at once. PyTorch keeps the version that constraints-cpu.txt names.
constraints: ## renew constraints.txt with the latest releases
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && trap 'exit 1' INT TERM && \
	"$(PYTHON)" -m venv "$$folder" && "$$folder/bin/python" -m pip --disable-pip-version-check --no-input install -q uv && \
	sed -n 's/^\(torch==[^ +]*\).*/\1/p' constraints-cpu.txt >"$$folder/torch" && \
	"$$folder/bin/uv" pip compile -q pyproject.toml --extra dev -c "$$folder/torch" --universal --fork-strategy fewest \
		--python-version 3.11 --generate-hashes --no-annotate --no-header -o "$$folder/locked" && \
	for file in constraints constraints-gpu; do grep '^#' $$file.txt >"$$folder/$$file" || exit 1; done && \
	awk -v folder="$$folder/constraints" '/^[^ ]/ { of = /^(cuda|nvidia|triton)/ ? "-gpu" : "" } \
		{ print >>(folder of) }' "$$folder/locked" && \
	for file in constraints constraints-gpu; do cp "$$folder/$$file" $$file.txt || exit 1; done

audit: ## look for known vulnerabilities in the locked releases
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && trap 'exit 1' INT TERM && \
	"$(PYTHON)" -m venv "$$folder" && \
	"$$folder/bin/python" -m pip --disable-pip-version-check --no-input install -q pip-audit && \
	{ "$$folder/bin/pip-audit" --strict --disable-pip --require-hashes -r constraints.txt -r constraints-gpu.txt || { \
		echo "Not all is well: a release above has a vulnerability, or the service that knows them was not reached" >&2; \
		exit 1; \
	}; }

clean: ## stop the embedded Postgres, and delete .venv and caches; .jv with the data stays
	@echo "Stopping the embedded Postgres. Deleting .venv with all installed packages, *.egg-info, the caches of the"
	@echo "linters and tests, and each __pycache__. The data in .jv stay; make install makes the rest again."
	@if test -e .venv/installed; then .venv/bin/python -c 'from jv_assets.platform import postgres; postgres.stop()'; fi || true
	@rm -rf .venv *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -prune -exec rm -rf {} +
