# Everything a newcomer needs: make demo, make test, make notebook, make evaluate, make bench.
# All of it lives in a virtual environment inside this folder. Rust and a C compiler must be there.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := Cargo.toml Cargo.lock pyproject.toml $(shell find src -name '*.rs')
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo test test-rust test-python lint lint-rust lint-python api notebook notebooks evaluate \
	attack labs bench clean

demo: $(VENV)/installed
	$(BIN)/mopse demo

test: lint test-rust test-python

$(VENV)/created:
	$(PYTHON) -m venv $(VENV)
	$(PIP) 'pip>=25.1' 'maturin>=1.9.4,<2'
	touch $@

# Python sources are used in place; only a change to the core builds anew.
$(VENV)/installed: $(VENV)/created $(SOURCES)
	@echo "Building the core; the first time this takes a few minutes."
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/maturin develop --release --quiet --extras duckdb,server
	touch $@

$(VENV)/test: $(VENV)/installed
	$(PIP) --group test --group lint
	touch $@

$(VENV)/notebooks: $(VENV)/installed
	$(PIP) --group notebooks
	touch $@

lint: lint-rust lint-python

lint-rust:
	cargo fmt --check
	cargo clippy --all-targets --quiet -- -D warnings
	cargo clippy --features python --quiet -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --quiet

lint-python: $(VENV)/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest mopse._mopse
	$(BIN)/python -m numpydoc lint $(shell find python/mopse -name '*.py')
	$(BIN)/typos

test-rust:
	cargo test --quiet

# Two processes, as most of the tests use one core.
HALF := $(addprefix tests/python/,cli stores)
test-python: $(VENV)/test
	@$(BIN)/python -m pytest --quiet $(HALF) & half=$$!; \
	$(BIN)/python -m pytest --quiet $(addprefix --ignore=,$(HALF)); rest=$$?; \
	wait $$half && exit $$rest
	MOPSE_FAST=1 $(BIN)/python -m pytest --quiet --nbmake notebooks

# Keeps the public names and signatures as they are now; tests compare with what is kept.
api: $(VENV)/test
	$(BIN)/python tests/api/listing.py --write

notebook: $(VENV)/notebooks
	$(BIN)/jupyter lab notebooks

# Runs every notebook in full and keeps what it shows.
notebooks: $(VENV)/notebooks
	$(BIN)/jupyter execute --inplace notebooks/*.ipynb notebooks/labs/*.ipynb
	$(BIN)/nbstripout --keep-output --keep-count notebooks/*.ipynb notebooks/labs/*.ipynb

# Runs the performance experiments anew; some ten minutes. `make notebooks` shows them.
# DATABASE=postgresql://... has those that compare engines ask PostgreSQL too.
evaluate: $(VENV)/test
	$(BIN)/mopse evaluate --rust-peers --anew --out notebooks/results
ifdef DATABASE
	$(BIN)/mopse evaluate --only stores growing_by_engine --store $(DATABASE) --anew --out notebooks/results
endif

# Runs the security evaluation anew; some ten minutes.
attack: $(VENV)/installed
	$(BIN)/mopse attack --anew --out notebooks/results

# Makes the students' versions of the course labs from the solutions, in mopse-labs.
labs: $(VENV)/installed
	$(BIN)/mopse labs

bench: $(VENV)/test
	$(BIN)/python tests/benches/summary.py

clean:
	rm -rf $(VENV) target
