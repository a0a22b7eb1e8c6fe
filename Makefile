# The menu. CI calls these very targets.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || echo python3)
VENV := .venv
BIN := $(VENV)/bin
TRITON := .venv-triton
OPENAPI := docs/openapi.json
PB := service/rpc/pb
RELEASED := proto/released.binpb
PROFILE := two-cores

.DEFAULT_GOAL := help
.PHONY: help setup run test test-slow test-observability check openapi proto proto-released bench \
  bench-serving bench-streams bench-tracking soak paper-tables triton triton-setup

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

bench-streams: $(VENV)/.all ## streams at twice the load that this machine serves
	$(BIN)/python -m tests.bench_streams

bench-tracking: $(VENV)/.all ## faces followed and smoothed, against truth; HEAD_MODEL=head_model.npz
	$(BIN)/python -m tests.bench_tracking --head $(HEAD_MODEL)

soak: $(VENV)/.all ## half an hour of streams, with a verdict; SECONDS=600 for less
	$(BIN)/python -m tests.soak $(if $(SECONDS),--seconds $(SECONDS))

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
	@fresh=$$(mktemp -d) && $(MAKE) --no-print-directory proto PB=$$fresh && \
	  diff -ru -x __pycache__ $(PB) $$fresh; status=$$?; rm -rf $$fresh; \
	  [ $$status = 0 ] || { echo "$(PB) is out of date: make proto"; exit 1; }
	$(BIN)/buf lint proto
	$(BIN)/buf format --diff --exit-code proto
	$(BIN)/buf breaking proto --against $(RELEASED)

openapi: $(VENV)/.serving ## docs/openapi.json, from the application
	@mkdir -p $(dir $(OPENAPI))
	@$(BIN)/python -c 'import json; from service.rest.app import describe_api; \
	  print(json.dumps(describe_api(), indent=1))' > $(OPENAPI)

# Generated for the package "thermal.v1", kept as a package of ours.
proto: $(VENV)/.all ## service/rpc/pb, from proto/
	@$(BIN)/python -m grpc_tools.protoc -I proto --python_out=$(PB) --grpc_python_out=$(PB) \
	  --plugin=protoc-gen-mypy=$(BIN)/protoc-gen-mypy --mypy_out=quiet:$(PB) \
	  --plugin=protoc-gen-mypy_grpc=$(BIN)/protoc-gen-mypy_grpc --mypy_grpc_out=quiet:$(PB) \
	  thermal/v1/landmarks.proto
	@sed -i 's/^from thermal\./from service.rpc.pb.thermal./' $(PB)/thermal/v1/*_pb2*.py*
	@touch $(PB)/__init__.py $(PB)/thermal/__init__.py $(PB)/thermal/v1/__init__.py

proto-released: $(VENV)/.all ## at a release: what later changes of proto/ must not break
	$(BIN)/buf build proto --exclude-source-info -o $(RELEASED)

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
