# Every target installs what it needs: a fresh clone needs Python >= 3.11 with venv, and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help demo test check fuzz benchmarks docs format install clean
help:
	@echo "make demo    train on the digits of scikit-learn (about two minutes) and write runs/demo/report.html"
	@echo "make test    run the test suite"
	@echo "make check   lint, types, import layers, doctests"
	@echo "make fuzz    open 10,000 damaged files"
	@echo "make benchmarks  measure speed beside a plain loop, JAX and Lightning (JAX=, LIGHTNING=: pythons that have them; TABLE=adult.csv)"
	@echo "make docs    write docs/errors.md and docs/images/ again"

install: $(STAMP)
$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch==2.13.0
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $(STAMP)

demo: install
	$(BIN)/saddlepoint train digits --until settled --out runs/demo --restart

test: install
	$(BIN)/python -m pytest -n auto --dist worksteal

check: install
	$(BIN)/ruff check src tests benchmarks docs
	$(BIN)/ruff format --check src tests benchmarks docs
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest --doctest-modules src/saddlepoint -q

fuzz: install
	SADDLEPOINT_FUZZ=10000 SADDLEPOINT_FUZZ_RESULTS=$(CURDIR)/benchmarks/results/fuzz.json \
		$(BIN)/python -m pytest tests/data/test_fuzz_sources.py -q

benchmarks: install
	$(BIN)/python -m benchmarks.speed --compiled abcde --threads $(if $(JAX),--jax $(JAX)) $(if $(LIGHTNING),--lightning $(LIGHTNING))
	$(BIN)/python -m benchmarks.speed_profile ad
	$(BIN)/python -m benchmarks.speed_sampling $(if $(TABLE),--table $(TABLE))
	$(BIN)/python -m benchmarks.startup
	$(BIN)/python -m docs.make_speed

docs: install
	$(BIN)/python -m docs.make_errors
	test -f runs/demo/settings.json || $(MAKE) demo
	$(BIN)/python -m docs.make_picture

format: install
	$(BIN)/ruff check --fix src tests benchmarks docs
	$(BIN)/ruff format src tests benchmarks docs

clean:
	rm -rf build dist *.egg-info src/*.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
