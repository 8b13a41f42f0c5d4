# jupyter-kubeflow. `make lab` is all a newcomer needs; `make help` lists the rest.
# Needs python 3.11 or newer, git and make. Node comes through pip.

PYTHON  ?= python3
VENV    := .venv
BIN     := $(VENV)/bin
STAMPS  := .build
EXTRAS  := dev
PYTEST  := $(BIN)/python -m pytest
WORKERS ?= 2

export PATH := $(CURDIR)/$(BIN):$(PATH)
# The machine's own settings must not decide what these commands do, or make each process compile all it imports.
unexport PYTHONPATH PYTHONDONTWRITEBYTECODE

PACKAGING := pyproject.toml labextension/package.json labextension/yarn.lock labextension/install.json \
             $(wildcard jupyter-config/server-config/*.json)
FRONTEND  := $(shell find labextension/src labextension/style labextension/schema -type f 2>/dev/null)

.DEFAULT_GOAL := help
.PHONY: help lab demo test test-machine test-unit test-contract test-js test-ui test-ui-lab test-ui-hub test-cluster bench fmt lint clean

help: ## List these commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /\1\t/' | expand -t 15

# --- Installation ------------------------------------------------------------------------------------

$(STAMPS)/venv:
	@mkdir -p $(STAMPS)
	@.ci/venv $(PYTHON) $(VENV)
	@touch $@

# An editable install: the Python is used where it lies, the front end is built by the same command.
$(STAMPS)/install: $(STAMPS)/venv $(PACKAGING) $(FRONTEND)
	@echo "Installing (the first time takes two or three minutes) …"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python \
	  --reinstall-package jupyter-kubeflow -e '.[$(EXTRAS)]'
	@$(BIN)/python -m compileall -q jupyter_ext spawner  # also where PYTHONDONTWRITEBYTECODE is set
	@touch $@

# --- Use ---------------------------------------------------------------------------------------------

lab: $(STAMPS)/install ## Install into .venv and open the tour in JupyterLab
	$(BIN)/jupyter lab examples/tour.ipynb

demo: $(STAMPS)/install ## Run the tour as a pipeline, without a browser
	$(BIN)/jupyter kf run examples/tour.ipynb
	@echo "What the endpoint was, the newest first (jupyter kf delete late-flights ends it):"
	@$(BIN)/jupyter kf revisions late-flights

# --- Checks ------------------------------------------------------------------------------------------

# The cluster's tests wait most of their time, so others run beside them, each part's output in one piece. A browser has
# the machine for itself.
test: $(STAMPS)/install ## Everything CI runs
	@status=0; \
	$(MAKE) --no-print-directory -j 2 --output-sync=target test-machine test-cluster || status=$$?; \
	$(MAKE) --no-print-directory -j 1 test-ui || status=$$?; \
	exit $$status

# One after the other, also where make was told to run several at once.
test-machine: $(STAMPS)/install
	@$(MAKE) --no-print-directory -j 1 lint test-js test-unit test-contract

# Parts that run side by side must not write the same cache of what failed last.
test-unit: $(STAMPS)/install ## Python tests without a browser
	$(PYTEST) -o cache_dir=.pytest_cache/unit -n $(WORKERS) --dist loadfile -m 'not ui and not cluster and not contract'

test-contract: $(STAMPS)/install ## What we write, read by the tools it is written for
	$(PYTEST) -o cache_dir=.pytest_cache/contract -m contract

test-js: $(STAMPS)/install labextension/node_modules ## Front-end models, in Node
	cd labextension && jlpm test

test-ui: test-ui-lab test-ui-hub ## A real JupyterLab, and the spawner's pages, in a real browser

test-ui-lab: $(STAMPS)/install
	@.ci/chromium
	$(PYTEST) -o cache_dir=.pytest_cache/ui-lab -m ui tests/ui

test-ui-hub: $(STAMPS)/install
	@.ci/chromium
	$(PYTEST) -o cache_dir=.pytest_cache/ui-hub -m ui tests/spawner

test-cluster: $(STAMPS)/install ## A real Kubernetes in a network of its own, and what runs on it (root; Go builds it once)
	@.ci/chromium
	$(BIN)/python -m tests.cluster test -o cache_dir=.pytest_cache/cluster -n0

bench: $(STAMPS)/install ## Measure against the peers; each gets an environment of its own in .bench/
	$(BIN)/python -m benchmarks

lint: $(STAMPS)/install labextension/node_modules ## Style, types and layers
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	cd labextension && jlpm lint

fmt: $(STAMPS)/install labextension/node_modules ## Rewrite to the house style
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	cd labextension && jlpm lint:fix

# An install brings these; who removed them gets them again.
labextension/node_modules: labextension/yarn.lock | $(STAMPS)/install
	cd labextension && jlpm install --immutable
	@touch $@

clean: ## Remove everything that was built, but keep .venv
	rm -rf $(STAMPS) .bench dist build test-results .pytest_cache .mypy_cache .ruff_cache .hypothesis \
	  jupyter_ext/labextension labextension/lib labextension/lib-test labextension/tsconfig.tsbuildinfo
