# Two commands on a fresh machine: `make up`, then `make test`. Python >= 3.11, make and a package index are enough;
# the Pulumi engine is found, downloaded or built from its Go modules.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIN := --quiet --generate-hashes --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --strip-extras --allow-unsafe

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | sort | awk -F '\t' '{ printf "  make %-10s %s\n", $$1, $$2 }'

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python >= 3.11 is needed; say which with: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	@echo "environment: making $(VENV) (once, about two minutes)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: env
env: $(READY) ## Make the Python environment only

.PHONY: up
up: $(READY) ## Deploy both stacks to the sandbox on this machine and verify them
	@$(BIN)/python -m sandbox deploy --stack all

.PHONY: verify
verify: $(READY) ## Verify both deployed sandbox stacks again
	@$(BIN)/python -m sandbox verify --stack all

.PHONY: test
test: $(READY) ## Run the whole test suite, end to end on the real engine included
	@$(BIN)/python -m sandbox engine || echo 'without an engine the end-to-end tests are reported as skipped' >&2
	@$(BIN)/python -m pytest --cov --cov-report=term --cov-fail-under=95

.PHONY: lint
lint: $(READY) ## Check style, types and generated files
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy infra object_store policy verify sandbox tests docs bench
	@$(BIN)/python -m docs.generate --check
	@$(BIN)/python -m sandbox.actionlint
	@$(BIN)/zizmor --offline --quiet --no-progress --persona=auditor .github

.PHONY: docs
docs: $(READY) ## Write the generated tables and schemas
	@$(BIN)/python -m docs.generate

.PHONY: down
down: $(READY) ## Stop the sandbox and remove everything that it made here
	@$(BIN)/python -m sandbox down --stack all

.PHONY: lock
lock: $(READY) ## Pin the requirements anew
	@$(BIN)/pip-compile $(PIN) --extra sandbox --extra dev --output-file requirements.txt pyproject.toml
	@$(BIN)/pip-compile $(PIN) --output-file requirements-verify.txt requirements-verify.in
