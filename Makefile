# Every command of the project; each line here is short, what is long stands in scripts/.

SHELL := /usr/bin/env bash
CARGO ?= cargo
export CARGO_TERM_COLOR ?= auto

.DEFAULT_GOAL := help
.PHONY: help run test check smoke bench bench-sync bench-search bench-concerts bench-rates bench-push fmt migrate openapi tools

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Build and start everything on the embedded default; Ctrl-C ends it
	@scripts/run

test: ## Run all tests, on SQLite, and on a real PostgreSQL and Redis (TEST_DATABASE_URL, TEST_REDIS_URL, or throwaway servers)
	@scripts/with-servers $(CARGO) test --workspace --locked

check: ## What must hold beside the tests: format, lints, docs, licences, unused dependencies, edges
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked --quiet
	@scripts/require-tools
	$(CARGO) deny --locked --log-level error check bans licenses sources
	$(CARGO) machete
	$(CARGO) test --workspace --locked --quiet edges

bench: bench-sync bench-search bench-concerts bench-rates bench-push ## All measurements

bench-sync: ## Measure the sync engine against bare peers (BENCH="--only first-load --rounds 1" for less)
	$(CARGO) build --profile measure --package marquee-bench --package marquee-worker --bins --locked
	@scripts/with-postgres $${CARGO_TARGET_DIR:-target}/measure/marquee-bench sync $(BENCH)

# A quarter of a small machine's memory, as PostgreSQL's manual advises: its default is meant to start anywhere.
bench-search: export POSTGRES_OPTIONS ?= -c shared_buffers=2GB
bench-search: ## Measure the search beside bare peers and under faults (BENCH="--only hit,miss --rounds 1" for less)
	$(CARGO) build --profile measure --package marquee-bench --package marquee-worker --package marquee-api --bins --locked
	@scripts/with-postgres $${CARGO_TARGET_DIR:-target}/measure/marquee-bench search $(BENCH)

bench-concerts: export POSTGRES_OPTIONS ?= -c shared_buffers=2GB
bench-concerts: ## Measure the search for concerts on small and big copies (BENCH="--only sqlite --rounds 1" for less)
	$(CARGO) build --profile measure --package marquee-bench --package marquee-api --bins --locked
	@scripts/with-postgres $${CARGO_TARGET_DIR:-target}/measure/marquee-bench concerts $(BENCH)

bench-rates: export POSTGRES_OPTIONS ?= -c shared_buffers=2GB
bench-rates: ## Measure prices beside bare peers, and who reads meanwhile (BENCH="--only batch --rounds 1" for less)
	$(CARGO) build --profile measure --package marquee-bench --package marquee-api --bins --locked
	@scripts/with-postgres $${CARGO_TARGET_DIR:-target}/measure/marquee-bench rates $(BENCH)

bench-push: export POSTGRES_OPTIONS ?= -c shared_buffers=2GB
bench-push: ## Measure pushed feeds beside a bare insert (BENCH="--pushes 100 --searched 20" for less)
	$(CARGO) build --profile measure --package marquee-bench --package marquee-worker --package marquee-api --bins --locked
	@scripts/with-postgres $${CARGO_TARGET_DIR:-target}/measure/marquee-bench push $(BENCH)

smoke: ## Prove a running deployment: make smoke URL=http://127.0.0.1:8000 (SMOKE_KEY, if it has keys)
	@scripts/smoke "$(URL)"

fmt: ## Format the code
	$(CARGO) fmt --all

migrate: ## Bring the schema of DATABASE_URL up to date
	$(CARGO) build --workspace --bins --locked --quiet
	$${CARGO_TARGET_DIR:-target}/debug/marquee-migrate up

openapi: ## Write openapi.json anew from the code
	UPDATE_OPENAPI=1 $(CARGO) test --workspace --locked --quiet openapi::

tools: ## Install what `make check` needs beside Rust (takes minutes, once per machine)
	@scripts/require-tools --install
