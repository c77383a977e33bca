# One environment, .venv, made with the standard library's venv; a file in it records what is installed, so that a rerun
# installs nothing. PYTHON names another interpreter: make demo PYTHON=python3.12
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_OPTIONS ?= --force

.PHONY: demo test test-all lint site clean

demo: $(VENV)/installed-keras
	$(BIN)/lstm-engine demo $(DEMO_OPTIONS)

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest -n 2 --dist loadscope -m "not slow"

test-all: test
	$(BIN)/python -m pytest -n 2 --dist loadscope -m slow

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@$(BIN)/python docs/reading_order.py

site: $(VENV)/installed-keras $(VENV)/installed-docs  # Keras: a lesson stands beside it
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict
	@echo "To look at it: $(BIN)/python -m http.server --directory site, then http://localhost:8000"

clean:
	rm -rf $(VENV) build dist site *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis runs/demo
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed, and $(PYTHON) is %s. Name another: make PYTHON=python3.12" % sys.version.split()[0])'
	@$(PYTHON) -c 'import venv, ensurepip' || { echo "$(PYTHON) has no venv module: install it first (Debian and Ubuntu: apt install python3-venv)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed-keras: pyproject.toml | $(BIN)/python
	@test -f $(VENV)/installed-dev || echo "Installing into $(VENV): NumPy, Numba, librosa, Keras with JAX (some 1.2 GB, once) ..."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[keras]'
	@touch $@

$(VENV)/installed-dev: pyproject.toml | $(BIN)/python
	@echo "Installing into $(VENV), with the tools for tests (once) ..."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ $(VENV)/installed-keras

$(VENV)/installed-%: pyproject.toml | $(BIN)/python  # docs, browser
	@echo "Installing into $(VENV), with the extra $* (once) ..."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[$*]'
	@touch $@
