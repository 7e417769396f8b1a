# What to type. Everything a target needs it installs itself, and says so; the work is in the scripts that are called here.

.DEFAULT_GOAL := help
.PHONY: help demo test test-trino up down build lint fmt bench setup clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r target text; do \
		printf 'make %-10s %s\n' "$$target" "$$text"; done

demo: ## two simulated days through the whole pipeline, printed as tables, and sessions live; DOMAIN=webtoon; needs no Java
	@deploy/demo $(DOMAIN)

test: ## every suite on real servers; one suite: make test ARGS="e2e -- -k restart"
	@deploy/setup rust python
	@tests/run $(ARGS)

test-trino: ## only the suite on a real Trino: its tables, the dashboards' queries
	@deploy/setup rust python
	@tests/run trino $(ARGS)

up: ## real servers for development, kept running; then: source .userflow/env; more of them: make up ARGS="trino prometheus"
	@deploy/setup rust kafka databases redis airflow $(ARGS)
	cargo build --release --workspace --bins --locked
	@deploy/up $(ARGS)

down: ## stops them; their data stays in .userflow/up
	@deploy/down

build: ## the release binaries, in target/release
	@deploy/setup rust
	cargo build --release --workspace --bins --locked

lint: ## format, clippy, import circles, dependencies, SQL, Python and the documents' links and commands
	@tests/lint

fmt: ## formats the Rust sources
	cargo fmt --all

bench: ## the benchmarks, release build; figures and what they are compared with
	@deploy/setup rust python kafka databases redis
	@tests/bench/run $(ARGS)

setup: ## installs what building and testing need and this machine lacks
	@deploy/setup rust python kafka databases redis airflow prometheus browser

# A lake is data: .userflow/lake, .userflow/demo and .userflow/up stay. So does the cache outside the tree.
clean: ## removes what was built and the logs of tests; never a lake
	cargo clean
	rm -rf .userflow/venv .userflow/linters .userflow/test/logs
