# Everything a contributor runs. No root, no system `dot`, no activated environment is needed: each target sets up .venv
# the first time, and again when pyproject.toml or constraints.txt changed.
#
#   make test PYTEST="tests/cli -k render"      only some tests
#   make gallery PYTHON=python3.12              another interpreter (3.11 or newer)
#   make test TORCH_INDEX=URL                   an index that has PyTorch's CPU builds, see CONTRIBUTING.md

PYTHON ?= python3
PYTEST ?=
TORCH_INDEX ?=

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help gallery test soak bench lint types contract check clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON) here; say which one: make PYTHON=python3.12" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "graphvis needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) -V 2>&1); say which one: make PYTHON=python3.12" >&2; exit 2; }
	@echo "Setting up $(VENV) (once; a few minutes, most of them PyTorch)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(if $(TORCH_INDEX),$(BIN)/python -m pip install --quiet --no-deps --constraint constraints.txt --index-url $(TORCH_INDEX) torch)
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

gallery: $(STAMP) ## draw every scenario into out/, and the table of README.md
	@echo "Drawing every scenario into out/"
	@$(BIN)/graphvis render --all --output out
	@$(BIN)/graphvis snippet --all --into README.md

test: $(STAMP) ## every test
	@echo "Running the tests"
	@$(BIN)/python -m pytest -n auto --dist loadfile $(PYTEST)

soak: $(STAMP) ## the random programs, fifty times as many, and all samples of all operators
	@echo "Running the property tests at length"
	@$(BIN)/python -m pytest -n auto tests/properties --hypothesis-profile=soak $(PYTEST)

bench: $(STAMP) ## what it costs, into docs/benchmarks.md
	@echo "Measuring; leave the machine alone meanwhile"
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt '.[bench]' || echo "Without the peers: they cannot be installed"
	@$(BIN)/python -m benchmarks --into docs/benchmarks.md

lint: $(STAMP) ## ruff
	@echo "Linting"
	@$(BIN)/ruff check .

types: $(STAMP) ## mypy, strict
	@echo "Checking the types"
	@$(BIN)/mypy

contract: $(STAMP) ## the direction of imports
	@echo "Checking the direction of imports"
	@$(BIN)/lint-imports --no-cache

check: $(STAMP) ## whether out/ and README.md are what the code draws today
	@echo "Checking the committed pictures"
	@$(BIN)/graphvis check

clean: ## remove the environment and every cache
	@echo "Removing $(VENV) and the caches"
	@rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
