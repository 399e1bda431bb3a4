# All commands of the project. Anything longer than a line is a script in scripts/.

SHELL := /usr/bin/env bash
CARGO ?= cargo
SECONDS ?= 60
export CARGO_TERM_COLOR ?= auto

.DEFAULT_GOAL := help
.PHONY: help run start server up down test tests test-alerts test-backup test-browser test-clients test-clocks test-deploy test-exports test-mcp test-openapi test-systemd \
	test-upgrade check audit coverage smoke fmt format dist migrate openapi tools ha chaos soak crashes fuzz fuzz-xml bench bench-sync bench-search \
	bench-concerts bench-find bench-rates bench-push bench-churn bench-changes

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Build and start a simulated provider, the worker and the API on SQLite; Ctrl-C stops them
	@scripts/run

start: run ## Alias of run
server: run ## Alias of run

up: ## Build the image and start the containers: PostgreSQL, Redis, APIs, workers, nginx, monitoring (PROFILE=small: on SQLite)
	@deploy/up

down: ## Stop the containers, and keep their data (DOWN=--volumes: remove it)
	@deploy/down $(DOWN)

test: ## Run all tests on SQLite, PostgreSQL and Redis (TEST_DATABASE_URL, TEST_REDIS_URL, or temporary servers)
	@scripts/with-servers $(CARGO) test --workspace --locked --no-fail-fast

tests: test ## Alias of test

test-alerts: ## Test the alert rules, and the metrics of running programs (needs promtool and amtool)
	@scripts/test-alerts

test-clients: ## Generate API clients for Python and TypeScript, and call every operation with them (needs Node.js and Python)
	@scripts/test-clients

check: ## Check format, lints, docs, licenses, unused dependencies, crate boundaries and documentation
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked --quiet
	@scripts/require-tools cargo-deny cargo-machete
	$(CARGO) deny --locked --log-level error check bans licenses sources
	$(CARGO) machete
	$(CARGO) update --manifest-path fuzz/Cargo.toml --workspace --locked --quiet # fails if its lock file is outdated
	$(CARGO) test --workspace --locked --quiet -- edges:: drift::

test-browser: ## Test the API in a real Chromium (installs npm packages into target/browser)
	@scripts/test-browser

test-clocks: ## Set the clocks of running programs back and forward by an hour (needs libfaketime and Python)
	$(CARGO) build --workspace --bins --locked
	@scripts/require-servers
	@scripts/with-postgres scripts/test-clocks

test-backup: ## Back up, destroy and restore SQLite and PostgreSQL while the programs write; a minute
	$(CARGO) build --bins --locked
	@scripts/with-postgres scripts/test-backup

test-upgrade: ## Run the programs of an earlier commit and these on one database (COMMIT=...; builds that commit; needs its history)
	@scripts/with-servers scripts/test-upgrade $(COMMIT)

audit: ## Check dependencies for security advisories (downloads the RustSec database)
	@scripts/require-tools --install cargo-deny
	$(CARGO) deny --locked check advisories

coverage: ## Measure test coverage: a summary, and HTML in target/llvm-cov/html
	@scripts/require-tools --install cargo-llvm-cov
	@scripts/with-servers $(CARGO) llvm-cov --workspace --exclude marquee-bench --locked --no-fail-fast --html
	$(CARGO) llvm-cov report --summary-only

fmt: ## Format the code
	$(CARGO) fmt --all

format: fmt ## Alias of fmt

migrate: ## Update the schema of DATABASE_URL to the newest migration
	$(CARGO) build --bins --locked --quiet
	$${CARGO_TARGET_DIR:-target}/debug/marquee-migrate up

test-exports: ## Read calendars, feeds, maps and tables with other implementations (needs Python)
	@scripts/test-exports

test-openapi: ## Lint openapi.json and test a running API with generated requests (installs tools into target/openapi-tools)
	@scripts/test-openapi

test-mcp: ## Call the tools at /mcp with the official client of the Model Context Protocol (needs Python)
	@scripts/test-mcp

test-systemd: ## Verify the systemd units, the tarball and install.sh (needs systemd-analyze and shellcheck)
	@scripts/test-systemd

test-deploy: ## Test the deployment in containers; 15 minutes after the image is built (DEPLOY="20-start 30-smoke" to run a part)
	@scripts/test-deploy $(DEPLOY)

dist: ## Pack the programs with systemd units and backup scripts: target/dist/marquee-VERSION-TARGET.tar.gz
	@scripts/dist

openapi: ## Regenerate openapi.json from the code
	UPDATE_OPENAPI=1 $(CARGO) test --workspace --locked --quiet openapi::

smoke: ## Test a running deployment end to end: make smoke URL=http://127.0.0.1:8000 (SMOKE_KEY: an API key)
	@scripts/smoke "$(URL)"

fuzz: ## Run each fuzz target for a set time and print a table (SECONDS=60 TARGETS="feed_xml query")
	@scripts/fuzz --seconds $(SECONDS) $(TARGETS)

fuzz-xml: ## Compare the XML reader with libxml2 on mutated feeds (FUZZ="--count 100000 --seed 1"; needs python3-lxml)
	$(CARGO) build --package marquee-worker --bins --locked
	@scripts/fuzz-xml $(FUZZ)

tools: ## Install the tools of `make check` (takes minutes, once per machine)
	@scripts/require-tools --install cargo-deny cargo-machete

ha: ## Measure failovers of PostgreSQL and Redis (needs patroni, etcd, haproxy and redis-sentinel; HA="--only switchover" to run a part)
	$(CARGO) build --workspace --bins --locked
	@$${CARGO_TARGET_DIR:-target}/debug/marquee-chaos ha $(HA)

chaos: ## Run the programs under every fault on PostgreSQL and SQLite (CHAOS="--short" or CHAOS="--only redis" to run a part)
	$(CARGO) build --workspace --bins --locked
	@scripts/require-servers
	@$${CARGO_TARGET_DIR:-target}/debug/marquee-chaos matrix $(CHAOS)

soak: ## Run the programs under load and changing faults for an hour (SOAK="--minutes 10" or SOAK="--database sqlite")
	$(CARGO) build --workspace --bins --locked
	@scripts/require-servers
	@$${CARGO_TARGET_DIR:-target}/debug/marquee-chaos soak $(SOAK)

crashes: ## Compare the log of changes with a replay while programs are killed (CRASHES="--database sqlite --syncs 100 --pushes 100")
	$(CARGO) build --workspace --bins --locked
	@scripts/require-servers
	@$${CARGO_TARGET_DIR:-target}/debug/marquee-chaos crashes $(CRASHES)

bench: bench-sync bench-search bench-concerts bench-find bench-rates bench-push bench-churn bench-changes ## Run all benchmarks

bench-sync: ## Benchmark syncs against baseline programs (BENCH="--only first-load --rounds 1" to run a part)
	$(CARGO) build --profile measure --package marquee-bench --package marquee-worker --bins --locked
	@scripts/with-postgres $${CARGO_TARGET_DIR:-target}/measure/marquee-bench sync $(BENCH)

# A quarter of the memory of a small machine, as the PostgreSQL manual recommends; the default is minimal.
bench-search bench-concerts bench-find bench-rates bench-push bench-churn bench-changes: export POSTGRES_OPTIONS ?= -c shared_buffers=2GB

bench-search: ## Benchmark searches against baselines and under faults (BENCH="--only hit,miss --rounds 1" to run a part)
	$(CARGO) build --profile measure --package marquee-bench --package marquee-worker --package marquee-api --bins --locked
	@scripts/with-postgres $${CARGO_TARGET_DIR:-target}/measure/marquee-bench search $(BENCH)

bench-concerts: ## Benchmark concert searches on small and large catalogues (BENCH="--only sqlite --rounds 1" to run a part)
	$(CARGO) build --profile measure --package marquee-bench --package marquee-api --bins --locked
	@scripts/with-postgres $${CARGO_TARGET_DIR:-target}/measure/marquee-bench concerts $(BENCH)

bench-find: ## Benchmark lists of events by any filters (BENCH="--only filters --events 200000 --rounds 1" for a shorter run)
	$(CARGO) build --profile measure --package marquee-bench --package marquee-api --bins --locked --features marquee-bench/tantivy
	@scripts/with-postgres $${CARGO_TARGET_DIR:-target}/measure/marquee-bench find $(BENCH)

bench-rates: ## Benchmark price imports against baselines, and reads during an import (BENCH="--only batch --rounds 1" to run a part)
	$(CARGO) build --profile measure --package marquee-bench --package marquee-api --bins --locked
	@scripts/with-postgres $${CARGO_TARGET_DIR:-target}/measure/marquee-bench rates $(BENCH)

bench-push: ## Benchmark pushed feeds against a plain insert (BENCH="--pushes 100 --searched 20" to run a part)
	$(CARGO) build --profile measure --package marquee-bench --package marquee-worker --package marquee-api --bins --locked
	@scripts/with-postgres $${CARGO_TARGET_DIR:-target}/measure/marquee-bench push $(BENCH)

bench-churn: ## Benchmark reads while 200 providers change (BENCH="--programs DIR" to compare with another build of the programs)
	$(CARGO) build --profile measure --package marquee-bench --package marquee-worker --package marquee-api --bins --locked
	@scripts/with-postgres $${CARGO_TARGET_DIR:-target}/measure/marquee-bench churn $(BENCH)

bench-changes: ## Benchmark streams of changes and webhooks (BENCH="--streams 100 --seconds 5" for a shorter run)
	$(CARGO) build --profile measure --package marquee-bench --package marquee-worker --package marquee-api --bins --locked
	@scripts/with-postgres $${CARGO_TARGET_DIR:-target}/measure/marquee-bench changes $(BENCH)
