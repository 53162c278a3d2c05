# Everything starts here, in a fresh clone with Python 3.11 or newer, git and make.  `make` lists it.

# The first Python that is new enough; `make PYTHON=/path/to/python3 ...` overrides the choice.
NEW_ENOUGH = 'import sys; sys.exit(sys.version_info < (3, 11))'
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
            $$p -c $(NEW_ENOUGH) 2>/dev/null && { echo $$p; break; }; done)
# The first browser that the page tests can drive; UNROLLED_CHROMIUM=/path overrides the choice.
UNROLLED_CHROMIUM ?= $(shell for p in chromium chromium-browser google-chrome google-chrome-stable \
            "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"; do \
            command -v "$$p" && break; done)
ifneq ($(UNROLLED_CHROMIUM),)
export UNROLLED_CHROMIUM
endif
# On Linux, without PIP_EXTRA_INDEX_URL, PyTorch brings its GPU libraries: 5 GB more on disk.
WITH_GPU = $(if $(strip $(PIP_EXTRA_INDEX_URL)),,$(filter Linux,$(shell uname -s)))
TAKES = $(if $(WITH_GPU),7,2)
NEEDS = $(if $(WITH_GPU),9,3)
BIN = .venv/bin
PORT ?= 8000
STEPS = lint check book pytest
.NOTPARALLEL:
.PHONY: help env install book serve test lint check pytest test-slow weave lab clean

help:  ## Show this list
	@echo "Two commands do most of it: make book, make test."
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

env:  ## Create .venv, exactly as in requirements.lock (again when the lock changes)
	@cmp -s requirements.lock .venv/installed.lock || $(MAKE) --no-print-directory install

install:
	@test -n "$(PYTHON)" && $(PYTHON) -c $(NEW_ENOUGH) || { \
	  echo "Python 3.11 or newer is needed; here is $$($(or $(PYTHON),python3) --version 2>&1)."; \
	  echo "Cure: install a newer one, then name it: make PYTHON=/path/to/python3.12 env"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) comes without its venv module."; \
	  echo "Cure: on Debian and Ubuntu, sudo apt install python3-venv; elsewhere, Python from python.org has it."; \
	  exit 1; }
	@free=$$(df -Pk . | awk 'NR == 2 {print int($$4 / 1048576)}'); test $$free -ge $(NEEDS) || { \
	  echo "Only $$free GB of disk are free here: the environment takes $(NEEDS) GB while it is made."; \
	  echo "Cure: make room (pip cache purge frees some), or clone to another disk."; \
	  test -z "$(WITH_GPU)" || echo "Without a GPU: set PIP_EXTRA_INDEX_URL to PyTorch's CPU wheels" \
	    "(see README.md), and 3 GB are enough."; exit 1; }
	@echo "Creating .venv with $$($(PYTHON) --version): about $(TAKES) GB, two minutes on a fast line."
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@cp requirements.lock .venv/installed.lock

book: env  ## Run the chapters and build the book; it says where it is
	@$(BIN)/python tools/build_book.py

serve: env  ## Serve the built book on http://localhost:8000 (PORT=... for another)
	@test -f _build/html/index.html || { echo "There is no book yet. Cure: make book"; exit 1; }
	@echo "http://localhost:$(PORT)/  (Ctrl-C stops)"
	@$(BIN)/python -m http.server --bind 127.0.0.1 --directory _build/html $(PORT)

test: env  ## Everything that must hold: lint, quotes, book, tests
	@if [ -z "$$UNROLLED_CHROMIUM" ] && [ -n "$$UNROLLED_REQUIRE_CHROMIUM" ]; then \
	  echo "No Chromium for the page tests. Cure: install chromium, or set UNROLLED_CHROMIUM."; exit 1; fi
	@failed=; for step in $(STEPS); do \
	    echo; echo "== $$step"; $(MAKE) --no-print-directory $$step || failed="$$failed $$step"; done; \
	  echo; \
	  if [ -z "$$UNROLLED_CHROMIUM" ]; then \
	    echo "NOT RUN: page tests, there is no Chromium (cure: install it, or set UNROLLED_CHROMIUM)"; fi; \
	  echo "NOT RUN: the long tests (they are: make test-slow)"; \
	  if [ -n "$$failed" ]; then echo "FAILED:$$failed"; exit 1; else echo "PASSED: $(STEPS)"; fi

lint: env  ## Style of all Python
	@$(BIN)/ruff check --quiet lib tests tools benchmarks book/_ext && echo "no findings"

check: env  ## Quotes, notebooks and README table are current
	@$(BIN)/python tools/weave.py check
	@$(BIN)/python tools/readme.py check

pytest: env
	@$(BIN)/python -m pytest -rs --numprocesses 2 --max-worker-restart 1 --dist loadfile -m "not slow"

test-slow: env  ## The long tests: mutants, trainings, every notebook twice in one kernel
	@$(BIN)/python -m pytest -rs --numprocesses 2 --max-worker-restart 1 --dist load -m slow

weave: env  ## Quote the library in the chapters, write notebooks and README table (FORCE=1: over your work)
	@$(BIN)/python tools/weave.py weave $(if $(filter 1,$(FORCE)),--force)
	@$(BIN)/python tools/readme.py

lab: env  ## Open JupyterLab on your copies of the notebooks, in my_notebooks/
	@mkdir -p my_notebooks
	@for notebook in notebooks/*.ipynb; do \
	  copy="my_$$notebook"; test -e "$$copy" || cp "$$notebook" "$$copy" || exit 1; done
	@$(BIN)/jupyter lab my_notebooks

clean:  ## Remove what was built; .venv stays
	@rm -rf _build .pytest_cache .ruff_cache .hypothesis .benchmarks lib/*.egg-info
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
