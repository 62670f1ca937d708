# Everything here sets itself up: a fresh machine needs Python 3.11+, its venv module, and make.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
export OMP_WAIT_POLICY ?= PASSIVE
export NO_MKDOCS_2_WARNING ?= 1

# One pip call, with the constraint: otherwise pip fetches gigabytes of CUDA.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints/cpu.txt

.PHONY: install check test test-all demo docs peers clean

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints/cpu.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) --upgrade pip
	$(PIP) -e '.[all,dev,docs]'
	touch $@

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports --no-cache

test: install
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow"

test-all: install
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest

demo: install
	$(BIN)/fivefold demo

docs: install
	$(BIN)/mkdocs build --strict

# Each benchmark peer lives in an environment of its own: they pin one another's dependencies apart.
peers: $(patsubst benchmarks/peers/%.txt,.peers/%,$(wildcard benchmarks/peers/*.txt))

.peers/%: benchmarks/peers/%.txt constraints/cpu.txt
	$$(sed -n '1s/^# \(python3[.0-9]*\)$$/\1/p' $< | grep . || echo $(PYTHON)) -m venv $@
	$@/bin/python -m pip install --quiet --disable-pip-version-check -c constraints/cpu.txt -r $<
	touch $@

clean:
	rm -rf $(VENV) .peers site .pytest_cache .ruff_cache
