# make demo   real DNA in, report out, about ten minutes on two cores
# make test   all quick tests, three to four minutes
# Other targets: venv, peers, lint, paper, small, yeast, ecoli, bacteria, bacteria-full, ldarnet, dnazen, arena-models, arena, rehearsal, gue, wheel, notebooks, check-all, generated, clean.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help venv peers demo paper small yeast ecoli bacteria bacteria-full ldarnet dnazen arena arena-models rehearsal gue test lint wheel notebooks check-all generated clean

PYTHON_FOUND := $(firstword $(foreach name,python3.11 python3.12 python3.13 python3,$(shell command -v $(name))))
PYTHON ?= $(PYTHON_FOUND)
STAMP := .venv/stamp
PEERS := .venv/peers
export PATH := $(CURDIR)/.venv/bin:$(PATH)

# Real data: a mirror folder beside the checkout, unless GENEZIP_MIRROR names another one.
# Without any, the demo downloads the same regions, or simulates a genome when offline.
MIRROR_BESIDE := $(wildcard ../shared/data)
GENEZIP_MIRROR ?= $(MIRROR_BESIDE)
ifneq ($(strip $(GENEZIP_MIRROR)),)
override GENEZIP_MIRROR := $(abspath $(GENEZIP_MIRROR))
export GENEZIP_MIRROR
endif

help:
	@sed -n '1,3s/^# //p' Makefile

venv: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@[ -n "$(PYTHON)" ] && $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "genezip needs Python 3.11 or newer; install it or name one: make venv PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "$(PYTHON) cannot make virtual environments; install its venv package (Debian: apt-get install python3-venv)" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet -c constraints.txt -e '.[test]'
	@touch $@

# Other people's code that tests and benchmarks compare with. mamba-ssm is built without its
# compiled parts and without its dependencies, which bring compilers for GPUs.
peers: $(PEERS)
	@command -v bedtools >/dev/null || \
	  { echo "make peers: bedtools is missing; install it (Debian: apt-get install bedtools)" >&2; exit 1; }

$(PEERS): $(STAMP)
	.venv/bin/python -m pip install --quiet -c constraints.txt -e '.[peers]'
	MAMBA_SKIP_CUDA_BUILD=TRUE MAMBA_FORCE_BUILD=TRUE \
	  .venv/bin/python -m pip install --quiet --no-build-isolation --no-deps mamba-ssm==2.3.2.post1
	@touch $@

demo: venv
	snakemake --profile workflow/profiles/demo -- all
	@echo "The report is runs/demo/results/report.html"

# The paper's other tables and figures at laptop size: ablation, bounds, latency, more loci.
paper: venv
	snakemake --profile workflow/profiles/demo --directory runs/$@ \
	  --configfile config/config.yaml config/demo.yaml config/$@.yaml -- all
	@echo "The report is runs/$@/results/report.html"

# The model that comes with the package, from nothing: about an hour on two cores, resumable.
small: venv
	snakemake --profile workflow/profiles/demo --directory runs/$@ \
	  --configfile config/config.yaml config/demo.yaml config/$@.yaml -- \
	  results/compress/compression.tsv
	genezip weights export runs/$@/results/pretrain/genezip-small.seed0 \
	  --out genezip/models/shipped/genezip-small --results runs/$@/results/compress \
	  --source runs/$@/resources/source.json --command "make small" --licence Apache-2.0 \
	  --beside genezip-tiny --bound causal

# Other genomes, complete chromosomes: only the config differs. The two files come from the mirror.
OTHER := $(GENEZIP_MIRROR)/other_systems
INPUT = runs/$(if $(filter ecoli,$@),ecoli,yeast)/input
COPY_INPUT = mkdir -p $(INPUT); \
  [ ! $(FILES).fna.gz -nt $(INPUT)/genome.fa.gz ] || cp $(FILES).fna.gz $(INPUT)/genome.fa.gz; \
  [ ! $(FILES).gff.gz -nt $(INPUT)/annotation.gff3.gz ] || \
    cp $(FILES).gff.gz $(INPUT)/annotation.gff3.gz
yeast: FILES := $(OTHER)/yeast_S288C.GCA_000146045.2_R64.genomic
ecoli: FILES := $(OTHER)/ecoli_K12_MG1655.GCF_000005845.2.genomic
yeast ecoli: venv
	@set -e; if [ -e $(FILES).fna.gz ]; then \
	  $(COPY_INPUT); \
	  snakemake --profile workflow/profiles/demo --directory runs/$@ \
	    --configfile config/config.yaml config/demo.yaml config/$@.yaml -- all; \
	  echo "The report is runs/$@/results/report.html"; \
	else \
	  echo "make $@: skipped, there is no $(FILES).fna.gz (set GENEZIP_MIRROR)"; \
	  [ "$${GENEZIP_REQUIRE_REAL:-}" != 1 ]; \
	fi

# dnaHNet on six bacterial genomes, measured on two others; the files come from the mirror, else
# from public servers.
bacteria: venv
	snakemake --profile workflow/profiles/demo --directory runs/bacteria \
	  --configfile config/config.yaml config/demo.yaml config/bacteria.yaml -- all
	@echo "The report is runs/bacteria/results/report.html"

# Scaling over sizes and budgets, the (2, 2) variant, knock-outs in 8,192 bp, latency to 1 Mb: at most
# an hour.
bacteria-full: venv
	snakemake --profile workflow/profiles/demo --directory runs/$@ \
	  --configfile config/config.yaml config/demo.yaml config/bacteria.yaml config/$@.yaml -- all
	python benchmarks/latency.py --preset dnahnet-tiny --no-goals --input "real sequence" \
	  --fasta runs/$@/resources/pieces.fa --threads 2 --out runs/$@/latency
	@echo "The report is runs/$@/results/report.html, the latency runs/$@/latency/latency.svg"

# LDARNet on the DNA of the demo: learned tokens beside as many evenly spaced and at random places.
ldarnet: venv
	snakemake --profile workflow/profiles/demo --directory runs/$@ \
	  --configfile config/config.yaml config/demo.yaml config/$@.yaml -- all
	@echo "The report is runs/$@/results/report.html"

# DNAZEN on the DNA of the demo and on yeast: words and phrases, beside words alone and random
# phrases.
dnazen: FILES := $(OTHER)/yeast_S288C.GCA_000146045.2_R64.genomic
dnazen: venv
	snakemake --profile workflow/profiles/demo --directory runs/$@ \
	  --configfile config/config.yaml config/demo.yaml config/$@.yaml -- all
	@echo "The report is runs/$@/results/report.html"
	@if [ -e $(FILES).fna.gz ]; then \
	  $(COPY_INPUT); \
	  snakemake --profile workflow/profiles/demo --directory runs/$@-yeast \
	    --configfile config/config.yaml config/demo.yaml config/yeast.yaml config/$@.yaml \
	    config/$@-yeast.yaml -- all; \
	  echo "The report of yeast is runs/$@-yeast/results/report.html"; \
	else \
	  echo "make $@: yeast skipped, there is no $(FILES).fna.gz (set GENEZIP_MIRROR)"; \
	  [ "$${GENEZIP_REQUIRE_REAL:-}" != 1 ]; \
	fi

# Every way of cutting DNA, compared. The first trains all networks on the same human slices: some 36
# minutes on two cores, resumable. The second only evaluates, 23 minutes, and trains what is missing.
# Networks that `make bacteria` and `make yeast` left take part.
LEFT = $(foreach one,bacteria yeast,$(if $(wildcard runs/$(one)/results/report.html),config/arena-$(one).yaml))
ARENA = snakemake --profile workflow/profiles/demo --directory runs/arena \
  --configfile config/config.yaml config/demo.yaml config/arena.yaml $(LEFT)
arena-models: venv
	$(ARENA) -- arena_models
arena: venv
	$(ARENA) -- all
	@echo "The report is runs/arena/results/report.html"

# The paper run on made-up files of its size, every rule once: some 75 minutes on two cores and 25 GB,
# resumable. What each rule took stands beside what a cluster is asked for.
rehearsal: venv
	PYTHONPATH=benchmarks:tests python -m rehearsal runs/rehearsal --data "$(GENEZIP_MIRROR)"

# The labelled sets of GUE with the models of the demo, some ten minutes.
RUN := runs/demo/results/pretrain
gue: demo
	genezip tasks measure classification --files runs/demo/resources/labels/labels.json \
	  --settings config/gue.yaml --model $(RUN)/genezip-tiny.seed0 --model $(RUN)/hnet-tiny.seed0 \
	  --control hnet-tiny --scale demo --out runs/gue/classification.tsv \
	  --predictions runs/gue/predictions.parquet
	@echo "The scores are runs/gue/classification.tsv"

test: venv
	OMP_NUM_THREADS=1 pytest -n 2 --dist worksteal -m "not slow"

lint: venv
	ruff check .
	ruff format --check .
	mypy
	snakefmt --check workflow
	snakemake --lint

# sdist and wheel, in dist/ once every command of the texts has run from the wheel alone, in an empty
# folder: at most two minutes. Libraries are those of .venv; builds ask the package index for setuptools.
wheel: venv
	rm -rf dist
	GENEZIP_DIST=dist GENEZIP_REQUIRE_WHEEL=1 OMP_NUM_THREADS=1 pytest tests/test_wheel.py
	@ls -l dist

# Nothing may be left out here: a benchmark that lacks something to compare with ends with 3, and
# a test of the peers that would skip fails.
check-all: peers lint demo yeast ecoli
	python benchmarks/region_map.py
	python benchmarks/corpus.py
	python benchmarks/layers.py
	python benchmarks/ssd.py 2048 16384
	python benchmarks/compress.py
	python benchmarks/routing.py
	python benchmarks/latency.py --goals-only --preset tiny
	python benchmarks/features.py
	python benchmarks/intervals.py
	python benchmarks/mixing.py
	python benchmarks/ggrams.py
	python benchmarks/jobs.py
	python benchmarks/gpu_check.py --dry-run
	GENEZIP_REQUIRE_PEERS=1 OMP_NUM_THREADS=1 pytest -n 2 --dist worksteal

# Files made from genezip/config/; tests hold them equal.
generated: venv
	genezip config docs config/README.md
	python docs/make_api.py --write

# The notebooks, executed in place; the DNA comes as that of the demo does.
notebooks: venv
	python -m pip install --quiet -c constraints.txt -e '.[notebooks]'
	python docs/run_notebooks.py

clean:
	rm -rf runs build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .snakemake
