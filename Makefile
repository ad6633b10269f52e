# The course's two commands:
#     make book    builds the book and says where to open it
#     make test    runs every test: units, notebooks, the built pages
# `make help` lists the others. Nothing is needed beside make and Python >= 3.10.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help book test lint unit notebooks pages bootstrap retest zoo investigation clean distclean
MAKEFLAGS += --no-print-directory

# The first Python that is new enough; name another with `make book PYTHON=/path/to/python`.
ifndef PYTHON
PYTHON := $(shell for p in python3 python python3.13 python3.12 python3.11 python3.10; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && echo "$$p" && break; \
	done)
endif

RUN := .venv/bin/python
# Two at once, where there are two cores: each runs on one thread.
JOBS ?= $(shell "$(or $(PYTHON),python3)" -c 'import os; print(min(2, os.cpu_count() or 1))')

# Small nets on many threads spend their time waiting for each other: with one thread the
# notebooks that train are many times faster on shared cores, and give the same numbers anywhere.
export OMP_NUM_THREADS ?= 1
# Without byte code every kernel compiles torch anew: half a minute a notebook.
unexport PYTHONDONTWRITEBYTECODE

help:
	@echo "make book        execute the notebooks, build the book in build/html, say where to open it"
	@echo "make test        lint, unit tests, every notebook, the book, the tests of its pages"
	@echo ""
	@echo "make unit        the unit tests alone            make notebooks   execute what changed"
	@echo "make lint        ruff, and no stored outputs     make pages       the tests of the built pages"
	@echo "make retest      make test, nothing remembered   make bootstrap   rewrite the notebooks' first cell"
	@echo "make zoo         train the shipped nets again, those that are missing"
	@echo "make investigation   measure every net's manifolds again (hours; chapters 12 and 14)"
	@echo "make clean       remove build/                   make distclean   remove .venv/ as well"
	@echo ""
	@echo "Settings: PYTHON=python3.12 (which Python makes .venv)  JOBS=1 (notebooks at once; else 2)"
	@echo "          UV_TORCH_BACKEND=cpu (environment: the smaller, CPU-only torch)"

# Decides by content, in a tenth of a second, whether .venv has what the requirements ask for.
environment:
	@command -v "$(or $(PYTHON),python3)" >/dev/null || { \
		echo "No Python found: install Python 3.10 or newer, or name it: make book PYTHON=..."; exit 1; }
	@$(or $(PYTHON),python3) tools/environment.py
.PHONY: environment

lint: environment
	@$(RUN) -m ruff check .
	@$(RUN) tools/clean_notebooks.py --check

unit: lint
	@$(RUN) tools/remember.py unit -- $(RUN) -m pytest tests --ignore=tests/pages \
		-n auto --maxprocesses 4 --dist loadfile

notebooks: environment
	@$(RUN) tools/execute.py --jobs $(JOBS)

book: notebooks
	@$(RUN) tools/build_book.py

# What fails soonest is asked first: lint and units take seconds, notebooks minutes.
test: unit
	@$(MAKE) book
	@$(MAKE) pages

pages: environment
	@$(RUN) tools/remember.py pages -- $(RUN) -m pytest tests/pages -rs

retest:
	@rm -rf build/stamps/tests
	@$(MAKE) test

bootstrap: environment
	@$(RUN) tools/bootstrap.py
	@$(RUN) tools/clean_notebooks.py

# Makes the shipped nets that are missing; interrupted, it goes on where it stopped.
zoo: environment
	@$(RUN) -m brainkit.training miniatures
	@$(RUN) -m brainkit.training zoo
	@$(RUN) -m brainkit.training cifar10

# Measures the manifolds of every net of the zoo: hours of a core, a table a net in build/.
# Interrupted, it goes on where it stopped; at the end the released tables are written.
investigation: environment
	@$(RUN) tools/record_manifolds.py survey
	@$(RUN) tools/record_manifolds.py investigation
	@$(RUN) tools/record_manifolds.py survey --gather
	@$(RUN) tools/record_manifolds.py investigation --gather

clean:
	rm -rf build

distclean: clean
	rm -rf .venv
