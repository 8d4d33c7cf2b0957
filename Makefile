# Clipstream. `make` alone prints this help.
UV_VERSION := 0.13.9
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
export UV_PYTHON_DOWNLOADS := never
RUN := $(UV) run --no-sync
.DEFAULT_GOAL := help

.PHONY: help install demo run stop status test test-unit test-compose test-players lint typecheck format asyncapi openapi client bench-pipeline bench-api bench-transcode secrets airgapped up down logs clean-run
help: ## Show what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  %-16s %s\n", $$1, $$2}'

.uv/bin/uv:
	python3 tools/bootstrap_uv.py $(UV_VERSION) .uv

.venv/.installed: $(if $(filter .uv/bin/uv,$(UV)),.uv/bin/uv) pyproject.toml uv.lock $(wildcard services/*/pyproject.toml libs/*/pyproject.toml deploy/standalone/pyproject.toml)
	$(UV) sync --frozen --all-packages --all-extras
	@touch $@

install: .venv/.installed ## Bring everything the code needs into .venv/

demo: install ## The main job on sample clips made on the spot: shows and checks what came out
	PYTHONPATH=tests $(RUN) python -m clipstream.standalone demo

run: install ## Everything on this machine, until Ctrl-C or make stop; addresses in .run/endpoints.json
	$(RUN) python -m clipstream.standalone run

stop: install ## End what make run started
	$(RUN) python -m clipstream.standalone stop

status: install ## Say what runs, and how it is
	$(RUN) python -m clipstream.standalone status

test: lint typecheck ## Every test, on real servers that it brings and starts itself
	$(RUN) pytest -n auto tests/unit
	$(RUN) python -m clipstream.standalone fetch
	$(RUN) pytest -n 2 --dist loadfile tests/contract tests/integration
	$(RUN) pytest tests/pipeline tests/chaos

test-unit: install ## The tests that need no server
	$(RUN) pytest -n auto tests/unit

bench-pipeline: install ## One clip through everything, beside one ffmpeg command
	PYTHONPATH=tests $(RUN) python -m bench.pipeline

bench-api: install ## The busiest routes, beside bare aiohttp handlers with the same payloads
	PYTHONPATH=tests $(RUN) python -m bench.api

bench-transcode: install ## A ladder beside ffmpeg's; REPEATS=3, LONG=1 for a five-minute clip, too
	PYTHONPATH=tests $(RUN) python -m bench.transcode --repeats $(or $(REPEATS),3) $(if $(LONG),--long)

clean-run: ## Remove the data of make run and make demo, and the servers brought here
	rm -rf .run .tools

lint: install ## Style, boundaries between packages, file lengths
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) lint-imports
	$(RUN) python tools/check_layout.py

format: install ## Format, sort imports, apply safe fixes
	$(RUN) ruff format .
	$(RUN) ruff check --fix .

typecheck: install ## mypy, strict
	$(RUN) mypy libs/common/src libs/client/src $(wildcard services/*/src) deploy/standalone/src tests tools/*.py deploy/*/*.py deploy/docker/*/*.py

asyncapi: install ## Write docs/asyncapi.yaml from the contracts
	$(RUN) python tools/write_asyncapi.py

openapi: install ## Write services/gateway/openapi.json from the routes
	$(RUN) python tools/write_openapi.py

client: install ## Write the client's models from services/gateway/openapi.json
	$(RUN) python tools/write_client.py

secrets: ## Write generated secrets into .env; what is set there stays
	python3 tools/make_secrets.py .env

up: ## compose.yaml in the background
	docker compose up --detach --build

down: ## Stop its containers; their data stays
	docker compose down

logs: ## What its containers say
	docker compose logs --follow --tail 50

airgapped: install ## Engine, Compose and all images of compose.yaml, without an image registry
	deploy/docker/airgapped/engine.sh
	$(RUN) python deploy/docker/airgapped/go_programs.py
	deploy/docker/airgapped/build.sh

test-compose: airgapped ## compose.yaml itself on a Docker engine: minutes
	$(RUN) pytest tests/compose

test-players: install ## hls.js, Shaka and dash.js play an output in headless Chromium: minutes
	$(RUN) python tools/fetch_players.py .tools/players
	@command -v "$${CLIPSTREAM_CHROMIUM:-chromium}" >/dev/null || command -v google-chrome >/dev/null \
		|| { [ "$$(id -u)" = 0 ] && apt-get update && apt-get install -y chromium; } \
		|| { echo "No Chromium here: install it (Debian: apt-get install chromium) or set CLIPSTREAM_CHROMIUM to one." >&2; exit 1; }
	$(RUN) pytest tests/players
