# Everything here needs make and a Python from 3.11 on, nothing else. `.venv` is ours and can be deleted at any time.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
UV := UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile --universal --no-emit-index-url --no-annotate --quiet --python-version 3.11

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test bench check words lock clean

help: ## Say what there is to make
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 14

run: .venv/installed-run ## Start the shop on http://127.0.0.1:8000 (PORT=8001 for another port); Ctrl-C stops it
	@exec $(BIN)/python -m pickup.dev.run

test: .venv/installed-dev ## Run the tests (ARGS="-k handover -x" for some of them)
	@$(BIN)/python -m pytest -n auto --dist loadfile $(ARGS)

bench: .venv/installed-dev ## Run the benchmarks: a table here, the figures in var/bench.json
	@$(BIN)/python -m tests.benchmarks

check: .venv/installed-dev ## Lint, format, types, and who may import whom
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

words: .venv/installed-dev ## Gather the words of the pages into the catalogues, and say what is to be translated
	@$(BIN)/python -m pickup.dev.words

lock: .venv/installed-dev ## Pin the versions again: pyproject.toml into both requirements.txt
	@$(PIP) install uv
	@$(UV) pyproject.toml -o requirements.txt
	@$(UV) --group dev -c requirements.txt -o tests/requirements.txt

clean: ## Delete .venv and what tools have cached; the data in var/ stays
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is made last, so that what was interrupted is done again.
.venv/installed-dev: tests/requirements.txt .venv/installed-run
	@echo "Installing what the tests need …"
	@$(PIP) install -r tests/requirements.txt
	@touch $@

.venv/installed-run: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Python 3.11 or newer is needed, $(PYTHON) is older or missing. Another one: make PYTHON=python3.12 run" >&2; exit 1; }
	@$(BIN)/python -c 'import pip, sys; sys.exit(sys.prefix == sys.base_prefix)' 2>/dev/null || $(PYTHON) -m venv --clear .venv || { \
	  echo "$(PYTHON) cannot make a virtual environment. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "Installing the packages of requirements.txt …"
	@$(PIP) install -r requirements.txt
	@touch $@
