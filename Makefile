# make demo   the whole workflow on the built-in dataset, ends with the table of scores and the
#             page that shows it all
# make test   the tests, less those marked slow
# make test-slow   all tests, with examples that were not tried before
# make test-long  those marked slow: the workflow on a Slurm of its own (as root, where Slurm is
#                 installed), what reruns after each kind of change, docs/your-data.md
# make check  style, types, lint and a dry run, in under a minute
# make prune  drops the finished trainings in results/store that no experiment has any more
# make bench  how fast each kernel and stage is, into results/bench.csv; NAMES="crf storage": some
# make schema  config.schema.json, after a change of the config's keys
#
# Each sets up .venv by itself. Another interpreter: make demo PYTHON=python3.12

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/requirements-installed

.PHONY: demo test test-slow test-long check prune bench schema lock
.DELETE_ON_ERROR:

# Two jobs side by side on half of the cores each do more than one job on all of them, and sb, which
# waits for all of seam, comes first.
demo: $(READY)
	$(BIN)/snakemake --cores all --max-threads $$((($$(nproc) + 1) / 2)) \
		--configfile configs/demo.yaml --prioritize results/demo/sb/seed0/scores/segmentation_crf.csv
	$(BIN)/snakemake --configfile configs/demo.yaml --report results/demo/provenance.html
	@cat results/demo/logs/summarise.log
	@echo "how each file was made: results/demo/provenance.html"
	@echo "report: results/demo/report.html"

test: $(READY)
	$(BIN)/python -m pytest -q -m "not slow"

test-slow: $(READY)
	$(BIN)/python -m pytest -q --hypothesis-profile=search

test-long: $(READY)
	$(BIN)/python -m pytest -q -rs -m slow

check: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/mypy
	$(BIN)/snakemake --lint
	$(BIN)/snakemake --dry-run --quiet

prune: $(READY)
	$(BIN)/python -m wsss_core.training.prune results

bench: $(READY)
	$(BIN)/python -m benchmarks $(NAMES)

schema: $(READY)
	$(BIN)/python -m wsss_core.methods.schema > config.schema.json

# The environment, made or brought up to date when what it is made from changes.
# The package is only linked to, for its command wsss, by the setuptools that torch brings along.
$(READY): requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Python >= 3.11 is needed"'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --requirement requirements.txt
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
	touch $@

# Pins what requirements.in asks for, as pip resolves it today in an empty environment. What only
# torch's own CUDA build needs is left to torch, so that the file also fits machines without it.
lock:
	rm -rf .venv-lock
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/pip install --quiet --requirement requirements.in
	echo "# Made by \`make lock\` from requirements.in; do not edit." > requirements.txt
	.venv-lock/bin/pip freeze | grep --invert-match --extended-regexp '^(nvidia-|cuda-|triton)' >> requirements.txt
	rm -rf .venv-lock
