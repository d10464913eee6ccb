# Two targets do all the set-up on a fresh machine that has Python 3.11 or newer, make and git:
#   make demo   install, then the five commands on the synthetic sample, in ./demo
#   make test   install with the test tools, then the whole test suite
# Both build their own virtual environment in .venv; `make demo PYTHON=python3.12` picks another interpreter.

PYTHON ?= python3.11
VENV := .venv
BIN := $(abspath $(VENV))/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: demo test unit lint installed clean

demo: $(VENV)/.demo-installed
	$(BIN)/motionunion sample demo
	cd demo && { $(BIN)/motionunion ingest amass/ || test $$? -eq 3; }
	cd demo && $(BIN)/motionunion stats
	cd demo && $(BIN)/scamo tokenize --codebook 65536
	cd demo && $(BIN)/scamo train-ar
	cd demo && $(BIN)/scamo eval humanml3d
	@echo "Made in demo/: motionunion-store (the store), scamo-runs (tokenizer, corpus, model, evaluation)."
	@echo "Next: cd demo && $(BIN)/scamo generate 'a person walks forward'"

# Two tests at a time, each on one thread: a test that starts torch on two would wait for the other.
test: $(VENV)/.test-installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

unit: $(VENV)/.test-installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow"

installed: $(VENV)/.test-installed

lint: $(VENV)/.test-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo-installed: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install --quiet --constraint constraints.txt --editable ".[train]"
	@touch $@

$(VENV)/.test-installed: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install --quiet --constraint constraints.txt --editable ".[train,smpl,text,s3,ray,dev]"
	@touch $@

clean:
	rm -rf $(VENV) demo build dist
