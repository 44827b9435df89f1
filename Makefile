# Standardiste: the verbs of the project. `make` alone lists them.
#
# Needs make and a Python from 3.11 to 3.14, nothing else; every verb does its own set-up in .venv, once. uv is used when
# it is there (UV= turns it off). Variables, on the command line or in the environment:
#   EXTRAS   what to install, as in pyproject.toml    make test EXTRAS=full,dev
#   PYTHON   the interpreter to build on              make setup PYTHON=python3.12
#   ARGS     handed to the tool that runs             make test ARGS='-k endpointing'
# Every path below is relative: the folder's own name may hold spaces.

EXTRAS ?= local,console,dev
PYTHON ?= python3
UV     ?= $(shell command -v uv 2>/dev/null)
ARGS   ?=

VENV  := .venv
PY    := $(VENV)/bin/python
LOG   := $(VENV)/install.log
STAMP := $(VENV)/.installed-$(EXTRAS)

# An interpreter that was named is taken or refused; one that was not is looked for.
ifeq ($(origin PYTHON),file)
  INTERPRETERS := python3 python3.12 python3.13 python3.11 python3.14
else
  INTERPRETERS := "$(PYTHON)"
endif
FITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))

# torch comes as a small CPU build or with gigabytes of CUDA; only these extras want it.
WANTS_TORCH := $(findstring full,$(EXTRAS))$(findstring embeddings,$(EXTRAS))

# Where pip's own configuration says that wheels lie: uv does not read it. Prints folders joined by commas, or nothing.
PIP_FIND_LINKS_OF := import ast, subprocess, sys; \
  lines = subprocess.run([sys._base_executable, "-m", "pip", "config", "list"], capture_output=True, text=True).stdout.splitlines(); \
  found = [place for line in lines if ".find-links=" in line for place in ast.literal_eval(line.split("=", 1)[1]).split()]; \
  print(",".join(dict.fromkeys(found)))

.PHONY: help setup check test test-phone test-redis call run chat graph lock clean
.DEFAULT_GOAL := help

help: ## show this list
	@echo "make <verb>; each does the set-up it needs ($(EXTRAS)) the first time"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' Makefile

setup: $(STAMP) ## install what EXTRAS names into .venv
	@echo "$(EXTRAS): installed in $(VENV)"

call: $(STAMP) ## one whole phone call, with a scripted caller; no key needed
	@$(PY) -m app call $(ARGS)

test: $(STAMP) ## the tests, with a real Redis, but those that ring a real Asterisk
	@$(PY) -m tests.redis.stack
	@$(PY) -m pytest $(ARGS)

# The first time 53 MB are downloaded into the user's cache (tests/redis/stack.py); Linux on x86-64.
test-redis: $(STAMP) ## only the tests that ask a real Redis
	@$(PY) -m tests.redis.stack
	@$(PY) -m pytest -m redis tests/redis $(ARGS)

# On Debian and its kin, without root; the first time 70 MB are downloaded into the user's cache (tests/asterisk/debian.py).
test-phone: $(STAMP) ## the tests that ring a real Asterisk; about ten minutes
	@$(PY) -m tests.asterisk.debian
	@$(PY) -m pytest -m asterisk tests/asterisk $(ARGS)

check: $(STAMP) ## style, types and import contracts
	@echo "ruff check: mistakes and habits"
	@$(PY) -m ruff check .
	@echo "ruff format: layout"
	@$(PY) -m ruff format --check .
	@echo "mypy: types (strict)"
	@$(PY) -m mypy
	@echo "lint-imports: who may import whom"
	@$(VENV)/bin/lint-imports

run: $(STAMP) ## the agent, until Ctrl-C; says what to point Asterisk at
	@$(PY) -m app serve $(ARGS)

chat: $(STAMP) ## talk to the agent by typing
	@$(PY) -m app chat $(ARGS)

graph: $(STAMP) ## draw the dialogue graph
	@$(PY) -m app graph $(ARGS)

# Without UV_FIND_LINKS: a local CPU wheel of torch would be written down as +cpu, which no registry has.
lock: ## solve constraints.txt again (needs uv); ARGS=--upgrade takes newer versions
	@test -n "$(UV)" || { echo "make lock needs uv (pip install uv); make setup does not." >&2; exit 1; }
	@echo "Solving every extra for Python 3.11 and later, on every platform"
	@UV_FIND_LINKS= "$(UV)" pip compile --quiet --universal --python-version 3.11 --all-extras \
	  --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" $(ARGS) \
	  --output-file constraints.txt pyproject.toml
	@echo "constraints.txt written; read what changed with: git diff constraints.txt"

clean: ## remove .venv and the tools' caches; var/ (calls, checkpoints) stays
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- set-up ---------------------------------------------------------------------------------------------------------

$(PY):
	@found=; \
	for candidate in $(INTERPRETERS); do \
	  if "$$candidate" -c '$(FITS)' >/dev/null 2>&1; then found=$$candidate; break; fi; \
	done; \
	if [ -z "$$found" ] && { [ -z "$(UV)" ] || [ "$(origin PYTHON)" != file ]; }; then \
	  echo "Python 3.11, 3.12, 3.13 or 3.14 is needed; tried:" $(INTERPRETERS) >&2; \
	  echo "Name one that fits: make setup PYTHON=/path/to/python3.12" >&2; \
	  exit 1; \
	fi; \
	rm -rf $(VENV); \
	if [ -n "$(UV)" ]; then \
	  echo "Making $(VENV) with uv on $${found:-a Python that uv fetches}"; \
	  "$(UV)" venv --quiet --python "$${found:-3.12}" $(VENV); \
	else \
	  echo "Making $(VENV) on $$found"; \
	  "$$found" -m venv $(VENV) || { rm -rf $(VENV); exit 1; }; \
	fi

# One stamp per set of extras; a newer pyproject.toml or lock makes the stamp old. The lock also holds for what builds a
# package: newer pips read that from PIP_BUILD_CONSTRAINT, older ones from PIP_CONSTRAINT. pip cuts both at spaces, so the
# path must stay relative.
$(STAMP): pyproject.toml constraints.txt | $(PY)
	@mkdir -p $(VENV); : > $(LOG); \
	with_uv() { \
	  links=$${UV_FIND_LINKS-$$($(PY) -c '$(PIP_FIND_LINKS_OF)')}; \
	  if [ -n "$$links" ]; then export UV_FIND_LINKS="$$links"; \
	  else export UV_TORCH_BACKEND="$${UV_TORCH_BACKEND-cpu}"; fi; \
	  "$(UV)" pip install --python $(PY) --constraints constraints.txt --build-constraints constraints.txt \
	    --editable '.[$(EXTRAS)]' >> $(LOG) 2>&1; \
	}; \
	with_pip() { \
	  $(PY) -m pip --version >> $(LOG) 2>&1 || $(PY) -m ensurepip >> $(LOG) 2>&1 || return 1; \
	  if [ -n "$(WANTS_TORCH)" ] && ! $(PY) -m pip config list | grep -Eq 'find-links|index-url'; then \
	    echo "pip is about to take torch with CUDA (some 3 GB). For the CPU build stop here, and set PIP_EXTRA_INDEX_URL to"; \
	    echo "the CPU index that PyTorch's installation page gives; or install uv, which finds it."; \
	  fi; \
	  PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt PIP_DISABLE_PIP_VERSION_CHECK=1 \
	    $(PY) -m pip install --constraint constraints.txt --editable '.[$(EXTRAS)]' >> $(LOG) 2>&1; \
	}; \
	if [ -n "$(UV)" ]; then \
	  echo "Installing $(EXTRAS) with uv (some seconds where its cache is warm, else a minute or so)"; \
	  with_uv || { \
	    tail -n 3 $(LOG) >&2; \
	    echo "uv could not; trying pip, which reads its own configuration (one to three minutes)"; \
	    with_pip; }; \
	else \
	  echo "Installing $(EXTRAS) with pip (one to three minutes)"; \
	  with_pip; \
	fi || { cat $(LOG) >&2; echo "Set-up failed; the lines above say why." >&2; exit 1; }
	@touch "$@"
