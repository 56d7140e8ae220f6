# make demo   runs the whole workflow on the built-in dataset; ends with a table of scores and the
#             path of the report page
# make test   all tests that are not marked slow
# make test-long   the tests marked slow: the workflow on a private Slurm (as root, where Slurm is
#                  installed), reruns after each kind of change, the commands of the documentation
# make test-slow   all tests, with random examples that were not tried before
# make check  style, spelling, types, workflow lint and a dry run
# make docs   builds the documentation site into site/; open site/index.html
# make prune  removes finished trainings from results/store that no experiment uses
# make bench  measures kernels and stages, into results/bench.csv; NAMES="crf storage" selects some
# make schema   writes config.schema.json again, after a change of the config models
# make lock   pins the dependencies of pyproject.toml in requirements.txt
#
# Each target sets up .venv first. To use another interpreter: make demo PYTHON=python3.12

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/requirements-installed

.PHONY: demo test test-slow test-long check docs prune bench schema lock
.DELETE_ON_ERROR:

# Each stage of sb waits for another one, so jobs take all cores, and sb has priority.
demo: $(READY)
	$(BIN)/snakemake --cores all --configfile configs/demo.yaml \
		--prioritize results/demo/sb/seed0/scores/segmentation_crf.csv
	@cat results/demo/logs/summarise.log
	@echo "report: results/demo/report.html"

test: $(READY)
	$(BIN)/python -m pytest -q -m "not slow" --numprocesses logical --maxprocesses 4 --dist loadfile

test-slow: $(READY)
	$(BIN)/python -m pytest -q --hypothesis-profile=search

test-long: $(READY)
	$(BIN)/python -m pytest -q -rs -m slow

check: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	git ls-files -z | xargs -0 $(BIN)/codespell
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/mypy
	$(BIN)/snakemake --lint
	$(BIN)/snakemake --dry-run --quiet

docs: $(READY)
	$(BIN)/python -m docs_tools.reference
	$(BIN)/zensical build --clean --strict

prune: $(READY)
	$(BIN)/python -m wsss_core.training.prune results

bench: $(READY)
	$(BIN)/python -m benchmarks $(NAMES)

schema: $(READY)
	$(BIN)/python -m wsss_core.methods.schema > config.schema.json

# Creates the environment, or updates it after a change of these two files. The package is installed
# in editable mode, for its command wsss, by the setuptools that torch brings along.
$(READY): requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Python >= 3.11 is needed"'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --requirement requirements.txt
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
	touch $@

# Pins what pyproject.toml asks for, as pip resolves it today in an empty environment. Packages that
# only torch's CUDA build needs are left to torch, so that the file fits machines without a GPU too.
lock:
	rm -rf .venv-lock
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/pip install --quiet '.[workflow,export,dev]'
	echo "# Made by \`make lock\` from pyproject.toml; do not edit." > requirements.txt
	.venv-lock/bin/pip freeze --exclude wsss-core | grep --invert-match --extended-regexp '^(nvidia-|cuda-|triton)' >> requirements.txt
	rm -rf .venv-lock
