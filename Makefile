# make demo   see the main job on real photographs        make test   run every test
# make check  lint, types, layers                          make bench  print the measured figures
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BENCH := .venv-bench

.PHONY: setup demo test check bench lock words clean

setup: $(STAMP)

# Bytecode of what is imported, and only of that: all of it (torch!) takes a minute more to compile.
WARM := albumentations, alembic.command, dbos, flask_bootstrap, flask_openapi3, gunicorn.app.wsgiapp, hypothesis, \
  label_studio_sdk, moto.server, onnx, onnxruntime.quantization, playwright.sync_api, psycopg, pycocotools.cocoeval, \
  pytest, s3fs, schemathesis, shapely, skimage.data, sqlalchemy.dialects.postgresql, stamina, structlog, torch.onnx, \
  torchvision, typer

# uv comes from the registry into the environment itself, so python3 and make are all a machine needs.
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "LabelLoom needs Python 3.11 or newer: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
		{ echo "python3 cannot make virtual environments; on Debian or Ubuntu: apt-get install python3-venv"; exit 1; }
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep '^uv==' requirements.lock)"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .
	@$(BIN)/python -m compileall -q backend connectors label_config
	@NO_ALBUMENTATIONS_UPDATE=1 PYTHONDONTWRITEBYTECODE= $(BIN)/python -W ignore -c "import $(WARM)"
	@touch $@

demo: setup
	$(BIN)/labelloom demo

test: setup
	$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

bench: setup $(BENCH)/.installed
	$(BIN)/python -m benchmarks

# The libraries we compare with, torch among them, never come near the installation itself.
$(BENCH)/.installed: requirements.lock benchmarks/requirements.txt
	@test -x $(BENCH)/bin/python || $(BIN)/uv venv --quiet --python $(BIN)/python $(BENCH)
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BENCH)/bin/python -r requirements.lock -r benchmarks/requirements.txt
	@touch $@

lock:
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras \
		--no-emit-index-url --no-header pyproject.toml -o requirements.lock
	echo label-studio==1.23.2 | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
		--no-emit-index-url --no-header --no-annotate - -o connectors/label_studio.lock

clean:
	rm -rf $(VENV) $(BENCH) build *.egg-info

# Collect the pages' texts, bring each language's catalogue up to date, compile it.
WORDS := backend/web/translations
words: setup
	$(BIN)/pybabel -q extract -F $(WORDS)/babel.cfg -k t -k n:1,2 -k lazy_gettext --no-location --omit-header \
		--sort-output -o $(WORDS)/messages.pot .
	$(BIN)/pybabel -q update -i $(WORDS)/messages.pot -d $(WORDS) --no-fuzzy-matching --ignore-obsolete
	$(BIN)/pybabel -q compile -d $(WORDS)
	$(BIN)/pybabel -q compile -d $(WORDS) -D steps
