# Two commands do everything on a machine with Python 3.11 or newer: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
OUT ?= out/demo
AIRFLOW := build/airflow

.PHONY: demo demo-airflow test test-end-to-end test-parts test-dags check check-infra e2e browser screenshots bench bench-release bench-peers audit lock docs basemap clean
.DEFAULT_GOAL := demo

demo: $(READY)  ## synthesise a country, ingest it, release a week, publish a bundle
	$(BIN)/whimbrel demo --out $(OUT)

demo-airflow: $(READY) $(AIRFLOW)/.ready  ## the same through the DAGs of a real Airflow, until Ctrl-C
	WHIMBREL_AIRFLOW=$(AIRFLOW) $(BIN)/whimbrel demo --airflow --out out/demo-airflow

test: $(READY) $(AIRFLOW)/.ready  ## the specification: every suite that fits 15 minutes on 2 cores, which its parts share
	@$(MAKE) --no-print-directory --jobs=2 test-end-to-end test-parts test-dags

test-end-to-end: $(READY)
	@$(BIN)/python -m pytest -m "not audit and not e2e and not browser" tests/end_to_end

test-parts: $(READY)
	@$(BIN)/python -m pytest -m "not audit and not e2e and not browser" --ignore=tests/end_to_end --ignore=tests/dags --ignore=tests/browser

test-dags: $(AIRFLOW)/.ready  ## the DAGs, in Airflow's own environment
	@$(AIRFLOW)/bin/python -m pytest -c tests/dags/pytest.ini --confcutdir=tests/dags tests/dags

check: $(READY)  ## lint, format, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check-infra: build/infra/.ready  ## what is under infra/: Dockerfiles, Compose, Kubernetes; wants kubectl, no cluster
	@build/infra/bin/python infra/check.py

e2e: $(READY) $(AIRFLOW)/.ready  ## a Spark cluster of processes, a worker lost at work, by hand and through Airflow; wants PostgreSQL
	WHIMBREL_AIRFLOW=$(AIRFLOW) $(BIN)/python -m pytest -m e2e tests/e2e

browser: $(READY)  ## the explorer in a real Chromium, Debian's: by mouse and keyboard, in three languages, on paper
	@$(BIN)/python -m pytest -m browser tests/browser

screenshots: $(READY)  ## the pictures of docs/explorer.md; wants Chromium
	$(BIN)/python -m tests.browser.screenshots docs/images

audit: $(READY)  ## statistical suites that take longer
	$(BIN)/python -m pytest -m audit

bench: $(READY)  ## speed: the main job against DuckDB in the same run, then each product, then formats; writes out/bench/*.json
	$(BIN)/python -m tests.benchmarks.main_job
	$(BIN)/python -m tests.benchmarks.products
	$(BIN)/python -m tests.benchmarks.publish_formats

bench-release: $(READY)  ## release designs side by side on the simulator, at equal budgets; writes out/bench/release_designs.json
	$(BIN)/python -m tests.benchmarks.release_designs

PEERS := tumult pipelinedp

bench-peers: $(READY) $(PEERS:%=build/peers/%/.ready)  ## the same week by Tumult Analytics (needs Java) and PipelineDP, beside ours
	$(BIN)/python -m tests.benchmarks.release_designs --weekly 23000 --peers build/peers

build/peers/%/.ready: tests/benchmarks/peers/requirements-%.txt
	@$(PYTHON) -m venv --clear $(@D)
	@$(@D)/bin/python -m pip --disable-pip-version-check --quiet install --no-deps --require-hashes -r $<
	@touch $@

docs: $(READY)  ## regenerate what is generated
	$(BIN)/python -m schemas.dictionary docs/data-dictionary.md
	$(BIN)/python -m jobs.layout_schema docs/source-mapping.schema.json

ATLAS := build/atlas
basemap: $(READY)  ## land and borders of the explorer, from Natural Earth by way of an npm package; wants npm
	mkdir -p $(ATLAS) && cd $(ATLAS) && npm pack --silent world-atlas@2.0.2 && tar -xzf world-atlas-2.0.2.tgz
	$(BIN)/python -m jobs.publish.explorer.basemap_source $(ATLAS)/package/countries-50m.json jobs/publish/explorer/basemap.json

$(READY): requirements.lock requirements-build.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else f"Python {sys.version.split()[0]} found. Expected: 3.11 or newer. Remedy: make PYTHON=python3.12 ...")'
	@echo "Installing the pinned dependencies into $(VENV) (about a minute and a half, once)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(PIP) install --no-deps --require-hashes -r requirements-build.lock
	@$(PIP) install --no-deps --require-hashes --no-build-isolation -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(AIRFLOW)/.ready: requirements-airflow.lock
	@echo "Installing Airflow into $(AIRFLOW) (about a minute and a half, once)"
	@$(PYTHON) -m venv --clear $(AIRFLOW)
	@$(AIRFLOW)/bin/python -m pip --disable-pip-version-check --quiet install --no-deps --require-hashes -r $<
	@touch $@

build/infra/.ready: infra/requirements.lock
	@$(PYTHON) -m venv --clear $(@D)
	@$(@D)/bin/python -m pip --disable-pip-version-check --quiet install --no-deps --require-hashes -r $<
	@touch $@

lock:  ## resolve the dependencies anew: hashes, no addresses
	$(PYTHON) -m venv build/lock && build/lock/bin/python -m pip --quiet install uv
	echo 'setuptools>=80' | build/lock/bin/uv pip compile - $(LOCK_OPTIONS) -o requirements-build.lock
	build/lock/bin/uv pip compile pyproject.toml --extra dev $(LOCK_OPTIONS) -o requirements.lock
	build/lock/bin/uv pip compile infra/airflow/requirements.in --override infra/airflow/left_out.txt $(LOCK_OPTIONS) -o requirements-airflow.lock
	(cat infra/airflow/requirements.in; echo apache-airflow-providers-cncf-kubernetes) | build/lock/bin/uv pip compile - --override infra/airflow/left_out.txt $(LOCK_OPTIONS) -o infra/kubernetes/requirements.lock
	build/lock/bin/uv pip compile infra/requirements.in $(LOCK_OPTIONS) -o infra/requirements.lock
	printf 'tmlt.analytics==0.21.0\nsetuptools\n' | build/lock/bin/uv pip compile - $(LOCK_OPTIONS) -o tests/benchmarks/peers/requirements-tumult.txt
	printf 'pipeline-dp==0.3.1\npyarrow\n' | build/lock/bin/uv pip compile - $(LOCK_OPTIONS) -o tests/benchmarks/peers/requirements-pipelinedp.txt

LOCK_OPTIONS := --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --quiet

clean:
	rm -rf $(VENV) out build
