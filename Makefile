# rosterd: `make` alone shows what there is to do.

PYTHON ?= python3
VENV ?= .venv
WORKERS ?= 2
SOAK ?= 1800
RUNS ?= 100000
# Narrows or widens the tests: make pytest TESTS=tests/core PYTEST="-x -k merge"
TESTS ?= tests
PYTEST ?=

TEST_PACKAGES = slapd slapd-contrib ldap-utils openssl strace chromium 389-ds-base \
	samba samba-ad-provision samba-dsdb-modules samba-vfs-modules winbind python3-samba python3-gssapi systemd prometheus

export PYTHON
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test setup lint pytest test-large wheel bench soak fuzz format lock clean

help: ## show this
	@printf '\n  rosterd keeps print queues in step with the company directory.\n\n'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "    make %-10s %s\n", $$1, $$2 }' Makefile
	@printf '\n  PYTHON=%s  VENV=%s  WORKERS=%s\n\n' '$(PYTHON)' '$(VENV)' '$(WORKERS)'

demo: ## try it: a pretend Orbix, a sample company, two runs; touches nothing outside this folder
	@scripts/venv '$(VENV)' runtime
	@'$(VENV)/bin/rosterd' demo

test: setup lint pytest wheel ## everything that CI checks, the installed wheel included

setup: ## what the tests need: Debian packages and the virtual environment
	@scripts/debian 'the tests' $(TEST_PACKAGES)
	@scripts/venv '$(VENV)' test

lint: ## ruff, mypy --strict, import-linter
	@scripts/venv '$(VENV)' test
	@printf '\n== ruff\n'
	@'$(VENV)/bin/ruff' check .
	@'$(VENV)/bin/ruff' format --check .
	@printf '\n== mypy --strict\n'
	@'$(VENV)/bin/mypy'
	@printf '\n== import-linter\n'
	@'$(VENV)/bin/lint-imports' --no-logo

pytest: ## the tests alone
	@scripts/venv '$(VENV)' test
	@printf '\n== pytest\n'
	@'$(VENV)/bin/pytest' --numprocesses '$(WORKERS)' --dist loadfile --no-loadscope-reorder $(PYTEST) $(TESTS)

test-large: ## the directories once more, with 20,000 people each
	@scripts/venv '$(VENV)' test
	@ROSTERD_TEST_PEOPLE=20000 '$(VENV)/bin/pytest' $(PYTEST) tests/real/ldap/test_active_directory.py \
		tests/real/ldap/test_389.py tests/real/ldap/test_openldap.py

fuzz: ## let a fuzzer play the directory (RUNS=100000)
	@scripts/venv .venv-fuzz fuzz
	@mkdir -p build/fuzz
	@PYTHONPATH=src:. .venv-fuzz/bin/python -m tests.fuzz -runs='$(RUNS)' -print_final_stats=1 -artifact_prefix=build/fuzz-found- build/fuzz tests/fuzz/corpus

wheel: ## build the wheel and run it in a clean environment
	@scripts/venv '$(VENV)' test
	@printf '\n== wheel\n'
	@scripts/try-wheel '$(VENV)'

bench: ## measure the figures that speed is judged by; writes bench/results.json
	@scripts/venv '$(VENV)' test
	@'$(VENV)/bin/python' -m bench

soak: ## the service for 30 minutes (SOAK=1800) with changes, faults and restarts
	@scripts/venv '$(VENV)' test
	@'$(VENV)/bin/python' -m tests.soak '$(SOAK)'

format: ## let ruff lay out the code
	@scripts/venv '$(VENV)' test
	@'$(VENV)/bin/ruff' check --fix .
	@'$(VENV)/bin/ruff' format .

lock: ## write the lock files anew (LOCK=--upgrade for newer versions)
	@scripts/lock $(LOCK)

clean: ## remove what the other targets made, the virtual environments too
	rm -rf '$(VENV)' .venv-lock build dist demo bench/results.json
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find src tests bench -name __pycache__ -type d -prune -exec rm -rf {} +
