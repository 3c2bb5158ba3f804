# What a developer types; docs/development.md says more. Needs make and Python 3.11 or newer; the rest comes
# from PyPI into .venv. ARGS goes to the program: make demo ARGS="--duration 20", make test ARGS="-k batch".

ifndef PYTHON
PYTHON := $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$name"; break; }; done)
endif
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: help demo test check lint format bench clean
.DELETE_ON_ERROR:

help:
	@echo "make demo    real log files through Redis to drains and this terminal"
	@echo "make test    the tests"
	@echo "make check   formatting, lint, types, imports and the tests: what must pass before a commit"
	@echo "make format  rewrite the code as ruff formats it"
	@echo "make bench   speed beside rsyslog (needs rsyslogd and gcc)"
	@echo "make clean   remove .venv and caches"

demo: $(VENV)/.runtime
	@$(BIN)/logyard demo $(ARGS)

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

check: lint
	$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

bench: $(VENV)/.runtime
	$(BIN)/python -m bench $(ARGS)

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps are older than pyproject.toml when it changed: install again what it asks for. What is written in C is
# compiled where there is a compiler.
$(VENV)/.runtime: pyproject.toml $(wildcard logyard/native/*.[ch] logyard/native/build.py)
	@test -n "$(PYTHON)" || { echo "logyard needs Python 3.11 or newer and none was found;" \
		"install one, or name it: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments;" \
		"on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "installing logyard and what it needs from PyPI into $(VENV)"
	@$(BIN)/python -c '' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV)
	@$(PIP) install --quiet --editable .
	@touch $@

# pip reads dependency groups since 25.1; a new environment holds the pip of its Python, which may be older.
$(VENV)/.dev: pyproject.toml $(VENV)/.runtime
	@echo "installing the tools for tests and checks from PyPI into $(VENV)"
	@$(PIP) install --quiet 'pip>=25.1'
	@$(PIP) install --quiet --group dev
	@touch $@
