# The menu. CI calls these very targets.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || echo python3)
VENV := .venv
BIN := $(VENV)/bin
TRITON := .venv-triton
OPENAPI := docs/openapi.json
PROFILE := two-cores

.DEFAULT_GOAL := help
.PHONY: help setup run test test-slow test-observability check openapi bench bench-serving \
  paper-tables triton triton-setup

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

setup: $(VENV)/.all ## .venv with service, training and development parts

run: $(VENV)/.serving ## the service, on this machine's port 8080
	$(BIN)/python -m service

triton: $(TRITON)/.installed ## a Triton server on the models, on this machine's ports 8000 to 8002
	docker/triton/serve.sh model_repository

triton-setup: $(TRITON)/.installed ## .venv-triton with that server

test: check $(TRITON)/.installed ## all checks, and every test but the slow ones
	$(BIN)/pytest

test-slow: $(VENV)/.all $(TRITON)/.installed ## the slow ones
	$(BIN)/pytest -m slow

test-observability: $(VENV)/.all $(TRITON)/.installed ## alerts and dashboard (needs the package prometheus)
	$(BIN)/pytest -m observability tests/observability

bench: $(VENV)/.all ## INT8 against FP32: speed on one core, error
	$(BIN)/python -m training.compare

bench-serving: $(VENV)/.all $(TRITON)/.installed ## what the gateway and Triton's batching cost and give
	$(BIN)/python -m tests.bench_serving

paper-tables: $(VENV)/.all ## MLCM-KD's tables on synthesis; HEAD_MODEL=head_model.npz
	$(BIN)/python -m training.paper --profile $(PROFILE) $(if $(HEAD_MODEL),--head $(HEAD_MODEL)) $(PAPER)

check: $(VENV)/.all ## style, types, import rules, generated files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@fresh=$$(mktemp) && $(MAKE) --no-print-directory openapi OPENAPI=$$fresh && \
	  diff -u $(OPENAPI) $$fresh; status=$$?; rm -f $$fresh; \
	  [ $$status = 0 ] || { echo "$(OPENAPI) is out of date: make openapi"; exit 1; }

openapi: $(VENV)/.serving ## docs/openapi.json, from the application
	@mkdir -p $(dir $(OPENAPI))
	@$(BIN)/python -c 'import json; from service.rest.app import describe_api; \
	  print(json.dumps(describe_api(), indent=1))' > $(OPENAPI)

# Stamps: nothing is installed again until the requirements change.
$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.serving: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -qq -e '.[cpu]'
	@touch $@

# torch first and alone: then pip keeps that build instead of weighing others.
$(VENV)/.all: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -qq "$$(grep -oE 'torch==[0-9.]+' pyproject.toml)"
	$(BIN)/python -m pip install -qq -e '.[cpu,training,dev]'
	@touch $@ $(VENV)/.serving

$(TRITON)/.installed: docker/triton/requirements.txt docker/triton/setup.sh
	docker/triton/setup.sh $(PYTHON) $(TRITON)
	@touch $@
