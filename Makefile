# make demo       runs the whole workflow on the built-in dataset; prints a table of scores and the
#                 path of the report page
# make test       runs all tests that are not marked slow
# make test-long  runs the tests marked slow: the workflow on a private Slurm (as root, if Slurm is
#                 installed), reruns after each kind of change, the commands of the documentation
# make test-slow  runs all tests, with new random examples
# make check      checks style, spelling and types, lints the workflow, and does a dry run
# make docs       builds the documentation site in site/; open site/index.html
# make prune      removes finished trainings from results/store that no experiment uses
# make bench      measures kernels and stages, writes results/bench.csv; NAMES="crf storage" selects
# make schema     writes config.schema.json, after a change of the config models
# make lock       pins the dependencies of pyproject.toml in requirements.txt
#
# Each target except `lock` sets up .venv first. Another interpreter: make demo PYTHON=python3.12

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/requirements-installed

.PHONY: demo test test-slow test-long check docs prune bench schema lock
.DELETE_ON_ERROR:

# sb has the longest chain of stages, so its jobs have priority. Each job uses all cores.
demo: $(READY)
	$(BIN)/snakemake --cores all --configfile configs/demo.yaml \
		--prioritize results/demo/sb/seed0/scores/segmentation_crf.csv
	@cat results/demo/logs/summarise.log
	@echo "report: results/demo/report.html"

PARALLEL := --numprocesses logical --maxprocesses 4 --dist loadfile

test: $(READY)
	$(BIN)/python -m pytest -q -m "not slow" $(PARALLEL)

test-slow: $(READY)
	$(BIN)/python -m pytest -q --hypothesis-profile=search

# A private Slurm divides all cores among its own jobs, so nothing else runs beside it.
test-long: $(READY)
	$(BIN)/python -m pytest -q -rs -m "slow and not slurm" $(PARALLEL)
	$(BIN)/python -m pytest -q -rs -m slurm

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
# in editable mode, for its command wsss. The build uses the setuptools that torch depends on.
$(READY): requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Python >= 3.11 is needed"'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --requirement requirements.txt
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
	touch $@

# Pins the dependencies of pyproject.toml, as pip resolves them today in an empty environment.
# Packages that only torch's CUDA build needs are left out, so that the file also works without GPUs.
lock:
	rm -rf .venv-lock
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/pip install --quiet '.[workflow,export,dev]'
	echo "# Made by \`make lock\` from pyproject.toml; do not edit." > requirements.txt
	.venv-lock/bin/pip freeze --exclude wsss-core | grep --invert-match --extended-regexp '^(nvidia-|cuda-|triton)' >> requirements.txt
	rm -rf .venv-lock
