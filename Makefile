# Perdure: `make demo` plays, `make test` proves. Everything lives in .venv; nothing else on the machine changes.

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench soak docs constraints clean
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
# The first Python that is new enough; `make PYTHON=/path/to/python demo` takes another.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)
PIP = $(BIN)/python -m pip --disable-pip-version-check --quiet
TELNET ?= 127.0.0.1:4000
WEB ?= 127.0.0.1:8080
# Not ?=, so that a SECONDS which some shell exported is not taken for an order.
SECONDS = 60
SEED ?= $(shell date +%s)
ARGS ?=

help:
	@echo "make demo    play a small MUD: http://$(WEB)/ or telnet $(subst :, ,$(TELNET))"
	@echo "make test    lint, types and every test (at most 5 minutes)"
	@echo "make lint    only ruff and mypy"
	@echo "make bench   the short form of every measurement          [ARGS=...]"
	@echo "make soak    seeded faults for as long as you like        [SECONDS=60] [SEED=n]"
	@echo "make docs    the documentation as a site, in site/"
	@echo "make clean   forget .venv and what the tools left"

# --- the environment ---------------------------------------------------------------------------

define check_python
	@if [ -z "$(PYTHON)" ]; then \
		echo "Perdure needs Python 3.11 or newer, and no such python3 is on the PATH. Nothing was changed." >&2; \
		echo "Install one, or name it: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 2; fi
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Perdure needs Python 3.11 or newer; $(PYTHON) is not one. Nothing was changed." >&2; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
		echo "$(PYTHON) came without venv, so no environment can be made. Nothing was changed." >&2; \
		echo "On Debian and Ubuntu: apt install python3-venv" >&2; exit 2; }
endef

$(BIN)/python:
	$(check_python)
	@echo "Making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)

# What a server needs: the part of constraints.txt above "# development".
$(VENV)/runtime.done: constraints.txt pyproject.toml | $(BIN)/python
	@echo "Installing what a server needs"
	@sed '/^# development/,$$d' constraints.txt > $(VENV)/runtime.txt
	@$(PIP) install --require-hashes -r $(VENV)/runtime.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/all.done: constraints.txt pyproject.toml | $(BIN)/python
	@echo "Installing what a server needs, the tests and the tools"
	@$(PIP) install --require-hashes -r constraints.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/runtime.done

# --- what people do ----------------------------------------------------------------------------

demo: check-linux $(VENV)/runtime.done
	@$(BIN)/perdure run examples/mud --telnet $(TELNET) --web "$(WEB)"

.PHONY: check-linux
check-linux:
	@if [ "$$(uname -s)" != Linux ]; then \
		echo "Perdure's processes need Linux (pidfds, memfds), and this is $$(uname -s). Nothing was changed." >&2; \
		echo "On macOS, in a container:  docker run --rm -it -p 4000:4000 -p 8080:8080 -v \"\$$PWD\":/src -w /src python:3.13 \\" >&2; \
		echo "                               make VENV=/tmp/venv TELNET=0.0.0.0:4000 WEB=0.0.0.0:8080 demo" >&2; \
		echo "On Windows, in WSL:        wsl --install, and then \`make demo\` in its shell" >&2; \
		echo "The pure core and its tests run anywhere: make test" >&2; exit 2; fi

lint: $(VENV)/all.done
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy src tests $(wildcard bench)

# Tests wait for processes more than they compute, so there is one worker more than there are processors.
WORKERS ?= $(shell expr $$(nproc) + 1)

# They start hundreds of processes. Where Python is told to write no compiled files, as in many images of containers,
# each would compile Perdure for itself; so it is compiled first.
test: lint
	@$(BIN)/python -m compileall -q src
	@$(BIN)/python -m pytest -q $(if $(ARGS),,-n $(WORKERS) --dist loadfile --no-loadscope-reorder) $(ARGS)

bench: $(VENV)/all.done
	@$(BIN)/python -m bench $(ARGS)

soak: $(VENV)/all.done
	@echo "Soak for $(SECONDS) s with seed $(SEED); the same seed gives the same run."
	@PERDURE_SOAK_SECONDS=$(SECONDS) PERDURE_SEED=$(SEED) $(BIN)/python -m pytest -q -s -m soak $(ARGS)

docs: $(VENV)/all.done
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# Needs `uv`; writes constraints.txt anew from pyproject.toml.
constraints:
	@.ci/constraints

clean:
	@rm -rf $(VENV) build dist site .mypy_cache .pytest_cache .ruff_cache .hypothesis
