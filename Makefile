# `make run` is all a newcomer needs; `make` alone lists the rest.
# Everything is done by config/launch.py, which needs Python 3.11 or newer and nothing else.

PYTHON ?= python3

# Make variables travel as environment; those not given stay as the environment has them.
# HOST counts only where it was typed: some shells and conda export one that is no address.
ifeq ($(origin HOST),command line)
export BURNLINE_HOST := $(HOST)
endif
ifdef PORT
export BURNLINE_PORT := $(PORT)
endif
ifdef DATA_DIR
export BURNLINE_DATA_DIR := $(DATA_DIR)
endif
ifdef PUBLIC_URL
export BURNLINE_PUBLIC_URL := $(PUBLIC_URL)
endif

LAUNCH = @command -v $(PYTHON) >/dev/null || { echo "burnline: there is no $(PYTHON) here. Install Python 3.11 or newer, or name one: make $@ PYTHON=/path/to/python3" >&2; exit 1; }; exec $(PYTHON) -m config.launch

.DEFAULT_GOAL := help
.PHONY: help run demo test test-all prove bench screenshots check format messages lock clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

run: ## set everything up and serve it: PORT=8000 HOST=127.0.0.1 DATA_DIR=var DATABASE_URL= REDIS_URL= PUBLIC_URL=
	$(LAUNCH) run

demo: ## Burnline with a history, and a pretend model service to break: PORT=8800 (and the three above) DATA_DIR=var/demo
	$(LAUNCH) demo

test: ## the tests, on SQLite; ARGS="-k words" goes to pytest
	$(LAUNCH) test $(ARGS)

test-all: ## the tests on PostgreSQL and Redis of their own, then the browser, Alertmanager and `make run` tests
	$(LAUNCH) test-all $(ARGS)

prove: ## kill, stop and flood what runs, at full size, on both databases: writes evidence/*.json (an hour and more)
	$(LAUNCH) prove $(ARGS)

bench: ## measure what is promised, on both databases: writes bench/results.json; ARGS="ingest --on postgresql" for some of it
	$(LAUNCH) bench $(ARGS)

screenshots: ## photograph the steps of the main path, and every page, in a real browser, into docs/screenshots
	$(LAUNCH) screenshots

check: ## lint, format, templates, types, import rules, migrations, deployment settings
	$(LAUNCH) check

format: ## put code and templates into their form
	$(LAUNCH) format

messages: ## find the words for people, and write locale/ and static/js/words/ anew (needs gettext's tools)
	$(LAUNCH) messages

lock: ## write requirements.lock and requirements-dev.lock anew
	$(LAUNCH) lock

clean: ## remove what the tools left behind; var/ with its data stays
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis test-results
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
