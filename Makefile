# `make demo` and `make test` need nothing but python3 (>= 3.10, with venv and pip) and make. Where
# gcc or clang is, it compiles the native core; elsewhere pip fetches one for the time it takes.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime
NATIVE := $(wildcard align_cli/native/src/* build_backend/*.py)

# What is installed for the tests; "test,zig" proves the native core by a second compiler, too.
EXTRAS ?= test
DEVELOP := $(VENV)/.develop-$(EXTRAS)

# The oldest Python that is supported, where it is here, and the least of everything that is imported.
LOWEST := build/lowest
OLDEST = $(shell python3.10 -c 'import sys; print(sys.executable)' 2>/dev/null)
LOWEST_PYTHON ?= $(or $(OLDEST),$(PYTHON))
TESTS ?= tests

# Processes that share the tests.
WORKERS ?= 2

.PHONY: demo first-quarter test test-lowest coverage mutants sanitize wheel lint format bench sample-data picture clean

# Align the pair of sample_data/ that shows a poster from two sides.
demo: $(RUNTIME)
	mkdir -p demo
	$(BIN)/imalign sample_data/poster_source.png sample_data/poster_target.png \
		-o demo/poster_aligned.png --json demo/poster_aligned.json \
		--error-map demo/poster_aligned_error.png

# Format, lint, types and every test.
test: lint
	$(BIN)/python -m pytest -n $(WORKERS)

# Which lines and branches of the engine its own tests reach.
coverage: $(DEVELOP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[coverage]'
	$(BIN)/python -m coverage run -m pytest -q tests/engine
	$(BIN)/python -m coverage report --skip-covered --sort=cover

# What somebody who has only README.md does first, in a new virtual environment outside the clone.
first-quarter:
	$(PYTHON) -m tests.commands.first_quarter_of_an_hour

# The tests with the lowest versions that pyproject.toml allows; TESTS="tests/files" for some of them.
test-lowest: $(LOWEST)/.installed
	$(LOWEST)/bin/python -m pytest $(TESTS)

# Which changes of the engine's files that differ from SINCE (origin/main, or else HEAD~1) no test of
# their own notices; FILES="align_cli/engine/geometry/ladder.py" for others.
mutants: $(DEVELOP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[mutants]'
	$(BIN)/python tools/mutants.py --since "$(SINCE)" $(FILES)

# Hostile calls of every kernel at every level, under the sanitizers; `make test` makes fewer.
sanitize: $(DEVELOP)
	mkdir -p build
	$(BIN)/python -m build_backend.compile --sanitize --driver build/sanitized
	build/sanitized check tests/native/driver/answers.txt
	build/sanitized fuzz 20000

# A wheel for any Python 3 of this platform, in dist/.
wheel: $(RUNTIME)
	rm -rf build/lib* build/bdist*
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps -w dist .

lint: $(DEVELOP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(DEVELOP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The figures that docs/ quote.
bench: $(DEVELOP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	$(BIN)/python -m benchmarks.real_pairs
	$(BIN)/python -m benchmarks.turned
	$(BIN)/python -m benchmarks.reports
	$(BIN)/python -m benchmarks.rigid
	$(BIN)/python -m benchmarks.accuracy
	$(BIN)/python -m benchmarks.bias
	$(BIN)/python -m benchmarks.peak_locking
	$(BIN)/python -m benchmarks.uncertainty
	$(BIN)/python -m benchmarks.illumination
	$(BIN)/python -m benchmarks.unlike
	$(BIN)/python -m benchmarks.resampling
	$(BIN)/python -m benchmarks.capture
	$(BIN)/python -m benchmarks.verdict
	$(BIN)/python -m benchmarks.evidence
	$(BIN)/python -m benchmarks.sensor
	$(BIN)/python -m benchmarks.sufficiency
	$(BIN)/python -m benchmarks.model_choice
	$(BIN)/python -m benchmarks.speed
	$(BIN)/python -m benchmarks.report
	$(BIN)/python -m benchmarks.refusals
	$(BIN)/python -m benchmarks.constants
	$(BIN)/python -m benchmarks.scale --plot benchmarks/scale.svg

sample-data: $(DEVELOP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	$(BIN)/python sample_data/make.py

# The picture of README.md.
picture: $(RUNTIME)
	$(BIN)/python docs/images/make.py

clean:
	rm -rf $(VENV) demo build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	rm -f align_cli/native/_core.*

$(VENV)/pyvenv.cfg:
	$(PYTHON) -m venv $(VENV)

$(RUNTIME): $(VENV)/pyvenv.cfg pyproject.toml install.sh $(NATIVE)
	sh install.sh $(BIN)/python -e .
	$(BIN)/python -m compileall -q align_cli # pip does so for all but editable packages
	touch $@

$(DEVELOP): $(RUNTIME)
	sh install.sh $(BIN)/python -e '.[$(EXTRAS)]'
	touch $@

$(LOWEST)/.installed: pyproject.toml install.sh tools/lowest.py $(NATIVE)
	rm -rf $(LOWEST)
	$(LOWEST_PYTHON) -m venv $(LOWEST)
	$(LOWEST_PYTHON) tools/lowest.py > $(LOWEST)/requirements.txt
	sh install.sh $(LOWEST)/bin/python -r $(LOWEST)/requirements.txt -e .
	touch $@
