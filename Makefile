# demo, run and test work on a fresh machine with Python 3.11 or newer, git and make.

python := .venv/bin/python
export PYTHON SONG VENDORS

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo run studio cluster postgres test check bench chaos planted fuzz live lock messages container-proof clean model

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1 | \2/p' $(MAKEFILE_LIST) | awk -F '|' '{ printf "%-24s%s\n", $$1, $$2 }'

demo: .venv/run.stamp model ## split one song without Discord (SONG=my.mp3 for yours)
	@$(python) -m sandbox.demo $${SONG:+"$$SONG"}

# Read as the bot does: the environment overrides .env, and empty means unset.
has_token := import sys; from bot.config import read_variables; \
  sys.exit(not read_variables().get("DISCORD_TOKEN"))

run: .venv/run.stamp model ## run the bot; without DISCORD_TOKEN, in a Discord simulator in the browser (VENDORS=1 adds vendors)
	@if $(python) -c '$(has_token)'; then exec $(python) -m bot; else exec $(python) -m sandbox.run $${VENDORS:+--vendors}; fi

cluster: .venv/cluster.stamp model ## run PostgreSQL, two bots, a standby and two workers in the simulator
	@exec $(python) -m sandbox.cluster

postgres: .venv/cluster.stamp ## install what PostgreSQL, object stores and workers need

# Any unit test can run anywhere. The tests of one file among the others share processes and servers.
distribution := $(if $(filter tests/unit%,$(firstword $(ARGS))),-n auto --dist worksteal,-n 3 --dist loadfile)

test: .venv/dev.stamp model ## run the tests (ARGS="-k quota" to select some)
	@$(python) -m pytest $(distribution) $(ARGS)

check: .venv/dev.stamp ## check style, formatting, types, import contracts and lock files
	$(python) -m ruff check .
	$(python) -m ruff format --check .
	$(python) -m mypy
	@$(python) -c 'from importlinter.cli import lint_imports_command; lint_imports_command()'
	@! grep -nE '://|^ *-[-a-z]*(url|links|index|host)|file:|^(/|\.\.)' requirements/*.lock \
	  || { echo 'A lock names a download address: make lock'; exit 1; }

# ARGS may begin with a topic, which is a module in bench/.
topics := analysis rendition
topic := $(or $(filter $(topics),$(firstword $(ARGS))),separation)

bench: .venv/dev.stamp model ## measure separation: quality, speed, memory (ARGS=rendition or ARGS=analysis for those; bench/ has more)
	@$(python) -m bench.$(topic) $(filter-out $(topics),$(ARGS))

chaos: .venv/dev.stamp model ## test crashes, faults and load (ARGS="--seeds 2 crash kills" for a part)
	@$(python) -m tests.chaos $(ARGS)

planted: .venv/dev.stamp ## plant known bugs in a copy and check that tests notice each (ARGS="token" to select some)
	@$(python) -m tests.planted $(ARGS)

fuzz: .venv/dev.stamp ## decode 100 odd audio files and 10,000 corrupted ones (ARGS="--table" for the odd ones only)
	@$(python) -m tests.fuzz $(ARGS)

live: .venv/dev.stamp ## split a song with the real services (needs keys, and STEMCORD_LIVE_SONG=address)
	@$(python) -m pytest -m live tests/live $(ARGS)

# The builds of torch differ by machine, so it is not in requirements/studio.lock.
torch_version := 2.13.0

studio: .venv/run.stamp ## install what community models (TORCH=cpu or cu130) or the engine (GPU=1) need on a graphics card
	@TORCH="$(TORCH)" GPU="$(GPU)" sh requirements/install_studio.sh $(torch_version)

compile := $(python) -m uv pip compile --quiet --no-config --universal --python-version 3.11 \
  --generate-hashes --no-emit-index-url --no-header --annotation-style line --fork-strategy fewest

of_torch := torch filelock fsspec jinja2 markupsafe mpmath networkx setuptools sympy

# --no-config and the default registry, because a lock must not depend on one machine's mirror or wheels.
lock: .venv/dev.stamp ## update requirements/*.lock (ARGS="--upgrade" for newer versions)
	$(compile) $(ARGS) requirements/run.in -o requirements/run.lock
	$(compile) $(ARGS) -c requirements/run.lock requirements/run.in requirements/cluster.in -o requirements/cluster.lock
	$(compile) $(ARGS) -c requirements/cluster.lock requirements/run.in requirements/cluster.in requirements/dev.in \
	  -o requirements/dev.lock
	$(compile) $(ARGS) --override requirements/studio.override $(addprefix --no-emit-package ,$(of_torch)) \
	  requirements/studio.in -o requirements/studio.lock
	sed '/^#/d; /^$$/d' requirements/studio.lock > requirements/studio.new  # names what was left out
	mv requirements/studio.new requirements/studio.lock
	$(compile) $(ARGS) -c requirements/studio.lock requirements/gpu.in -o requirements/gpu.lock

messages: .venv/run.stamp ## update the catalogues in bot/i18n/locales from the texts
	@$(python) -m bot.i18n.catalogue_update

container-proof: .venv/run.stamp ## run the Dockerfile's steps in a bare Debian root (needs root and debootstrap)
	@$(python) tests/container/prove.py

clean: ## remove .venv, caches and builds, but not data/ or .env
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find bot cogs storage sandbox tests bench -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

.venv/run.stamp: requirements/run.lock
	@sh requirements/install.sh run

.venv/cluster.stamp: requirements/cluster.lock
	@sh requirements/install.sh cluster

.venv/dev.stamp: requirements/dev.lock
	@sh requirements/install.sh dev

model:
	@$(python) -m bot models
