# Two commands on a fresh machine: `make up`, then `make test`. They need Python >= 3.11, make and a package index. They
# find the Pulumi engine, download it, or build it from its Go modules.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
# Python keeps what it compiles. Else each of the hundreds of processes compiles its packages again, for half a second.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIN = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --only-binary :all: \
	--no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command 'make lock'
PYTEST := $(BIN)/python -m pytest

.PHONY: help
help: ## List these commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | sort | awk -F '\t' '{ printf "  make %-10s %s\n", $$1, $$2 }'

.PHONY: python
python:
	@if ! [ "$(PYTHON)" ] || ! "$(PYTHON)" -E -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then \
		echo "'$(PYTHON)' does not run, or is older than Python 3.11; name another Python: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; \
	fi

.PHONY: env
env: python ## Create the Python environment only
	@"$(PYTHON)" -E -m sandbox.bootstrap env

.PHONY: dev
dev: python ## Create the environment with the packages that tests and lint need
	@"$(PYTHON)" -E -m sandbox.bootstrap dev

.PHONY: up
up: python ## Deploy both stacks to the sandbox on this machine and verify them
	@"$(PYTHON)" -E -m sandbox.bootstrap up

.PHONY: verify
verify: env ## Verify both deployed sandbox stacks again
	@$(BIN)/object-store sandbox verify --stack all

.PHONY: test
test: dev ## Run the whole test suite, including the end-to-end tests on the real engine
	@$(BIN)/object-store sandbox engine || echo 'without an engine the end-to-end tests are reported as skipped' >&2
	@$(PYTEST) -n auto --cov --cov-report=term --cov-fail-under=95 --durations=30

.PHONY: test-fast
test-fast: dev ## Run only the tests of the pure core, the program and the adapter
	@$(PYTEST) -n auto tests/model tests/infra tests/object_store

.PHONY: long
long: dev ## Run the tests with many seeds and full sizes, then every benchmark (takes hours)
	@$(BIN)/object-store sandbox engine || echo 'without an engine the end-to-end tests are reported as skipped' >&2
	@OBJECT_STORE_LONG=1 $(PYTEST) -n auto --durations=30
	@missed=; for each in adapter typescript archives vault otel ingest preview verify_rate verify_growth verify_audit; do \
		echo "== bench.$$each"; $(BIN)/python -m "bench.$$each" || missed="$$missed $$each"; \
	done; [ -z "$$missed" ] || { echo "these benchmarks missed their goals:$$missed" >&2; exit 1; }

.PHONY: bad-days
bad-days: dev ## Rehearse everything that docs/operations.md says about bad days, on a sandbox (takes long)
	@$(BIN)/object-store sandbox engine
	@$(BIN)/python -m trials.bad_days

.PHONY: fuzz
fuzz: dev ## Give damaged input of every kind to its readers: a table by kind, exit status 1 if one ends with a traceback
	@$(BIN)/python -m tests.fuzz

.PHONY: lint
lint: dev ## Check style, types, import rules, generated files, the docs site and workflows
	@$(MAKE) --no-print-directory -j 2 lint-types lint-rest

# The types take as long as all the rest. At the end, the tests are found: a test file that cannot be imported is named
# now, and the tests' workers find all modules compiled, which else each of them would do.
.PHONY: lint-types lint-rest
lint-types:
	@$(BIN)/mypy cli infra model object_store ops policy sandbox stack trials verify workloads tests docs bench
lint-rest:
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python -m docs.generate --check
	@$(BIN)/python -m docs.prose
	@$(BIN)/python -m docs.aws_policies
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@$(BIN)/python -m sandbox.actionlint
	@$(BIN)/zizmor --offline --quiet --no-progress --persona=auditor .github
	@said=$$($(PYTEST) --collect-only -q 2>&1) || { tail -n 60 <<< "$$said"; exit 1; }

.PHONY: docs
docs: dev ## Regenerate the tables of docs/ and the JSON schemas
	@$(BIN)/python -m docs.generate

.PHONY: down
down: ## Stop the sandbox and remove everything that it created here
	@if ! [ -d .sandbox ]; then echo "nothing to remove: .sandbox does not exist here" >&2; exit 0; fi; \
	[ -x $(BIN)/python ] || $(MAKE) --no-print-directory env; \
	$(BIN)/object-store sandbox down --stack all

.PHONY: lock
# Not by `dev`: its last step would miss a package that pyproject.toml wants and no lock has yet.
lock: ## Update the pinned requirements
	@[ -x $(BIN)/uv ] || $(MAKE) --no-print-directory dev
	@$(PIN) --extra sandbox --output-file requirements.txt pyproject.toml
	@$(PIN) --output-file requirements-verify.txt requirements-verify.in
	@$(PIN) --constraint requirements.txt --group pyproject.toml:dev --output-file requirements-dev.txt
	@$(PIN) --output-file tests/clients/requirements-clients.txt tests/clients/requirements-clients.in
