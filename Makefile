# Two commands do everything: `make replay` and `make test`. `make check` is what CI runs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := .make
# One process more than cores: tests of real daemons wait for them.
WORKERS ?= $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) + 1)))

# The tests start hundreds of processes: each of them would compile everything again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: replay test soak example daemon check format lint types contracts digests mutation bench clean

replay: $(STAMPS)/run
	$(BIN)/sublife replay scenarios --story scenarios/subscription/lapse-through-every-state.yaml

test: $(STAMPS)/test
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

soak: $(STAMPS)/test
	SOAK=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m soak --durations=15

example: $(STAMPS)/example
	$(BIN)/python -m examples.backend

daemon: $(STAMPS)/daemon

check: $(STAMPS)/check
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/basedpyright --warnings
	$(BIN)/lint-imports
	$(BIN)/sublife rules --check
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

format: $(STAMPS)/check
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

digests: $(STAMPS)/run
	$(BIN)/sublife replay scenarios --digest > scenarios/DIGESTS

mutation: $(STAMPS)/test
	$(BIN)/python -m tests.mutation --all
	$(BIN)/python -m tests.mutation --parts

bench: $(STAMPS)/test
	$(BIN)/python -m bench.start
	$(BIN)/python bench/replay.py
	$(BIN)/python bench/durable.py
	$(BIN)/python -m bench.daemon

clean:
	rm -rf $(VENV) $(STAMPS) dist build

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("sublife needs Python 3.11 or newer; set PYTHON=") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

$(STAMPS)/run: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/example: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[example]'
	@mkdir -p $(STAMPS) && touch $@ $(STAMPS)/run

$(STAMPS)/daemon: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[daemon]'
	@mkdir -p $(STAMPS) && touch $@ $(STAMPS)/run

$(STAMPS)/test: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	@mkdir -p $(STAMPS) && touch $@ $(STAMPS)/run

$(STAMPS)/check: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test,check]'
	@mkdir -p $(STAMPS) && touch $@ $(STAMPS)/test $(STAMPS)/run
