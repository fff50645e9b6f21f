# `make help` lists what there is. Everything runs from .venv, which `setup` fills from requirements.lock.
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
COMPILE := --universal --generate-hashes --no-emit-index-url --python-version 3.11 --custom-compile-command "make lock"

# Nothing that is run here reports home. BentoML understands only the word `true`.
export MLFLOW_DISABLE_TELEMETRY := true
export BENTOML_DO_NOT_TRACK := true
export DO_NOT_TRACK := 1
# uv trusts the certificates the machine trusts, so that set-up works behind a company's proxy.
export UV_SYSTEM_CERTS := true
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help setup demo test-quick test test-slow test-faults system check fmt docs serve bench bench-serving bench-open-loop bench-accuracy bench-new-users bench-training bench-list bench-report bench-report-cost bench-effect bench-replay bench-profit wheel lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' Makefile

setup: $(INSTALLED) ## Make .venv and install everything, with hashes checked

# The installer itself comes from the lock too: its pin and its hashes are cut out for plain pip.
$(INSTALLED): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "churn needs Python 3.11 or newer, and '$(PYTHON)' is: $$($(PYTHON) --version 2>&1)." >&2; \
		echo "Hint: make setup PYTHON=/path/to/a/newer/python3" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@sed -n '/^uv==/,/^ *#/p' requirements.lock > $(VENV)/installer.lock
	@$(BIN)/python -m pip install --quiet --require-hashes -r $(VENV)/installer.lock
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --compile-bytecode --require-hashes requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --offline --no-deps --no-build-isolation --editable .
	@$(BIN)/python -c 'import lightgbm' || { \
		echo "LightGBM found no OpenMP runtime on this machine." >&2; \
		echo "Hint: apt-get install libgomp1 (Debian, Ubuntu), dnf install libgomp (Fedora), brew install libomp (macOS)" >&2; exit 1; }
	@touch $@

demo: setup ## End to end on a small simulated world, in under three minutes
	@$(BIN)/python -m churn.demo

test-quick: setup ## Architecture, words and generated pages: half a minute, while you work
	@$(BIN)/pytest -q tests/test_architecture.py tests/test_words.py tests/test_documentation.py -k "not docstrings and not somebodys_machine"

test: setup ## The tests, without those marked slow
	@$(BIN)/pytest -q -n 3 -m "not slow"  # some wait for servers and processes

test-slow: setup ## The tests marked slow but for test-faults, and properties on many more random logs
	@HYPOTHESIS_PROFILE=ci $(BIN)/pytest -q -n 2 -m "slow or hypothesis" --ignore tests/faults

test-faults: setup ## Races, kills, full disks and damage: every outcome is equal or refused by name; ends with the table of them
	@$(BIN)/pytest -q -n 3 tests/faults/test_races.py tests/faults  # the longest first; they wait for each other much of the time

system: ## System packages that some tests need: a Java runtime (Spark), PostgreSQL's server, Chromium
	@.ci/system

check: setup ## Style, types and architecture
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/basedpyright --threads 2
	$(BIN)/lint-imports --no-logo

fmt: setup ## Format, and fix what can be fixed
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

docs: setup ## Build the documentation into site/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "site/index.html"

serve: setup ## Serve the champion on 127.0.0.1
	@$(BIN)/churn serve

bench: bench-serving ## How fast the service answers, and online profiles
	@$(BIN)/python -m benchmarks.profiles.online

bench-serving: setup ## How fast the service answers, compared with bare Starlette that does the same, and with other servers
	@$(BIN)/python -m benchmarks.serving.bench
	@$(BIN)/python -m benchmarks.serving.others

bench-open-loop: setup ## What users find by a schedule, during swaps and at four times what it can do (SECONDS=30: shorter)
	@SECONDS="$(SECONDS)" USERS="$(USERS)" $(BIN)/python -m benchmarks.serving.open_loop

SIZE ?=
bench-profiles: setup ## Time and memory of profiles at 1M and 10M events (SIZE=100m: at 100M)
	@SIZE="$(SIZE)" $(BIN)/python -m benchmarks.profiles.bench

bench-ablation: setup ## Which families carry the AUC, on the real logs in REAL_LOGS
	@$(BIN)/python -m benchmarks.accuracy.ablation

bench-accuracy: setup ## How good the model is with defaults, on the real logs in REAL_LOGS and against a simulated truth
	@SIZE="$(SIZE)" $(BIN)/python -m benchmarks.accuracy.bench
	@$(BIN)/python -m benchmarks.accuracy.shifting
	@$(BIN)/python -m benchmarks.accuracy.score_rates
	@$(BIN)/python -m benchmarks.accuracy.curves

bench-new-users: setup ## How good the model of new users is, in a simulated world with 5,000 of them (USERS=20000: fewer people)
	@USERS="$(USERS)" $(BIN)/python -m benchmarks.accuracy.new_users

bench-training: setup ## What a training costs at 50,000 users (SIZE=5m: at five million)
	@SIZE="$(SIZE)" $(BIN)/python -m benchmarks.training.bench

bench-list: setup ## What the weekly list costs at a million stored users (USERS=200000: fewer)
	@USERS="$(USERS)" $(BIN)/python -m benchmarks.weekly.at_risk_list

bench-report: setup ## What the report finds in simulated shops, and what it does not (KINDS="null version" WORLDS=5: fewer)
	@KINDS="$(KINDS)" WORLDS="$(WORLDS)" $(BIN)/python -m benchmarks.report.bench

bench-report-cost: setup ## What the report costs on ten million events, next to profiles (USERS=4000: a tenth)
	@USERS="$(USERS)" $(BIN)/python -m benchmarks.report.cost

bench-effect: setup ## How often the account of contacts errs, in 1,000 simulated seasons (SEASONS=100: fewer)
	@$(BIN)/python -m benchmarks.weekly.effect

bench-replay: setup ## What replaying 52 Mondays costs next to one training (USERS=4500: fewer)
	@USERS="$(USERS)" $(BIN)/python -m benchmarks.weekly.replay

bench-profit: setup ## Whether a list that is cut by profit ends where it should, in 20 simulated worlds (WORLDS=5: fewer)
	@WORLDS="$(WORLDS)" $(BIN)/python -m benchmarks.weekly.profit

wheel: setup ## Build the wheel into dist/
	@$(BIN)/python -m hatchling build -t wheel

lock: setup ## Resolve requirements.lock again (make lock UPGRADE=--upgrade for the newest versions)
	$(BIN)/uv pip compile --quiet $(COMPILE) $(UPGRADE) --group dev pyproject.toml -o requirements.lock >/dev/null

clean: ## Remove caches and built files (.venv and .churn stay)
	@rm -rf build dist site .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +
