# The one door. Every target makes the virtual environment it needs; a fresh clone needs only Python 3.11+, make
# and a compiler.

PYTHON ?= python3
WORKERS ?= 2
DATABASE ?=
ELASTICSEARCH ?=
PLOT ?=
BROKER ?= memory
ROWS ?=

BIN := .venv/bin
PACKAGES := eventstore commands projections eventfold

# What each kind of work installs on top of the core. The build of the package itself is pinned too.
EXTRAS_demo := postgres,elasticsearch,bisect
EXTRAS_plot := $(EXTRAS_demo),plot
EXTRAS_test := postgres,elasticsearch,nats,kafka,rabbitmq,redis,bisect,cron,plot,test,lint,bench
EXTRAS_lint := postgres,elasticsearch,nats,kafka,rabbitmq,redis,bisect,cron,plot,test,lint,bench
EXTRAS_bench := postgres,elasticsearch,nats,kafka,rabbitmq,redis,test,bench
EXTRAS_docs := docs
ELASTICSEARCH_TESTS := tests/projections tests/services tests/docs
export PIP_CONSTRAINT := constraints.txt
export PIP_BUILD_CONSTRAINT := constraints.txt
# Hundreds of processes are started by the tests alone: none of them should compile again what one before it has compiled.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo demo-orders dashboard test test-debezium test-elasticsearch-8 soak lint format bench bench-quick docs clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-20s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: .venv/.installed-demo ## Run the example story; DATABASE=postgresql://... uses that database instead of SQLite
	@$(BIN)/python -m examples.cdnow.demo $(if $(DATABASE),--database '$(DATABASE)') $(if $(ELASTICSEARCH),--elasticsearch '$(ELASTICSEARCH)')

demo-orders: .venv/.installed-$(if $(filter-out memory,$(BROKER)),test,demo) ## Run two services and a broker; BROKER=nats|kafka|rabbitmq|redis|memory or a URL, ROWS=n
	@ORDERS_BROKER='$(BROKER)' $(BIN)/python -m examples.orders.demo $(if $(ROWS),--rows $(ROWS))

dashboard: .venv/.installed-$(if $(PLOT),plot,demo) ## Show what the demo made; PLOT=cohorts.svg draws a picture too
	@$(if $(DATABASE),EVENTFOLD_DATABASE='$(DATABASE)') $(BIN)/python -m examples.cdnow.dashboard $(if $(PLOT),--plot '$(PLOT)')

test: .venv/.installed-test ## Run the tests, except the slow ones; WORKERS=n processes
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -m "not slow and not debezium"

soak: .venv/.installed-test ## Run the slow tests
	$(BIN)/python -m pytest -m slow

test-debezium: .venv/.installed-test ## Have Debezium read the outbox's table into Kafka
	$(BIN)/python -m pytest -m debezium tests/commands/outbox

test-elasticsearch-8: .venv-elasticsearch-8/.installed ## Run the tests of Elasticsearch with client and server of version 8
	.venv-elasticsearch-8/bin/python -m pytest -n $(WORKERS) -m "elasticsearch and not slow" $(ELASTICSEARCH_TESTS)

lint: .venv/.installed-lint ## Check format, style and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pyright

format: .venv/.installed-lint ## Format the code and fix what can be fixed without a thought
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .venv/.installed-bench ## Measure everything, against the raw driver and another library
	$(BIN)/python -m benchmarks

bench-quick: .venv/.installed-bench ## The same with small numbers
	$(BIN)/python -m benchmarks --quick

docs: .venv/.installed-docs ## Build the documentation; a broken link fails
	$(BIN)/mkdocs build --strict

clean: ## Remove everything that was made here, the virtual environment too
	rm -rf .venv .venv-elasticsearch-8 build dist site .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find $(PACKAGES) tests examples docs benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

.venv/.created:
	@command -v $(PYTHON) >/dev/null || { echo "Eventfold needs Python 3.11 or newer, and there is no '$(PYTHON)' here. Name one: make PYTHON=/path/to/python3 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Eventfold needs Python 3.11 or newer, and '$(PYTHON)' is $$($(PYTHON) -V 2>&1). Name a newer one: make PYTHON=/path/to/python3 ..." >&2; exit 1; }
	@$(PYTHON) -m venv .venv
	@touch $@

.venv/.installed-%: .venv/.created pyproject.toml constraints.txt
	@echo "Installing Eventfold [$(EXTRAS_$*)] into .venv"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -e ".[$(EXTRAS_$*)]" -c constraints.txt
	@touch $@

# The same packages, but for the client of Elasticsearch: of an earlier major version than constraints.txt names.
.venv-elasticsearch-8/.installed: .venv/.created pyproject.toml constraints.txt
	@echo "Installing Eventfold [postgres,elasticsearch,bisect,cron,test] with the client of Elasticsearch 8 into .venv-elasticsearch-8"
	@$(PYTHON) -m venv .venv-elasticsearch-8
	@grep -v '^elastic' constraints.txt > .venv-elasticsearch-8/constraints.txt
	@PIP_CONSTRAINT=.venv-elasticsearch-8/constraints.txt .venv-elasticsearch-8/bin/python -m pip install -q --disable-pip-version-check \
		-e ".[postgres,elasticsearch,nats,kafka,rabbitmq,redis,bisect,cron,test]" "elasticsearch<9"
	@touch $@
