# What people and CI run. CI runs `make ci` and nothing else.
#
# Needed: Rust by rustup, gcc and g++, Go 1.26, Python 3.11 with venv, openssl, curl. Whatever else is
# used comes from package registries at pinned versions and is kept in .cache/.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

# A test that fails with an error shows that error; where a panic came from is still shown.
export RUST_LIB_BACKTRACE ?= 0

CARGO ?= cargo
# How long `make fuzz` runs each target.
FUZZ_SECONDS ?= 60

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build the released programs
	$(CARGO) build --release --locked --workspace --exclude sealward-tests

.PHONY: demo
demo: ## See both jobs of Sealward done on real input, in two minutes and without a cluster
	tools/demo.sh

##### Tests

# Whole programs: each file in tests/tests/ is a stage of its own.
PROGRAMS := $(patsubst tests/tests/%.rs,test-%,$(sort $(wildcard tests/tests/*.rs)))
STAGES := setup lint test-crates test-core test-doc deny $(PROGRAMS) fuzz demo

.PHONY: test
test: ## Set up for, and run, every test; ends with the time of each stage
	FUZZ_SECONDS=10 tools/test.sh $(STAGES)

.PHONY: ci
ci: test

.PHONY: setup
setup: ## Install what the tests need from package registries into .cache/
	@tools/cargo-tool.sh cargo-deny
	@tools/sops.sh
	@tools/python-env.sh latest
	@tools/python-env.sh v1

.PHONY: lint
lint: ## Check formatting, clippy and rustdoc; warnings are errors
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked

.PHONY: test-crates
test-crates: ## Run the unit and integration tests of every crate
	$(CARGO) test --workspace --exclude sealward-tests --locked --all-targets
	$(CARGO) test --package sealward-tests --locked --lib --bins

.PHONY: test-core
test-core: ## Run the tests of core on each of its two AEAD implementations
	$(CARGO) test --package sealward-core --locked
	$(CARGO) test --package sealward-core --locked --features aws-lc

.PHONY: test-doc
test-doc: ## Run the examples in the documentation
	$(CARGO) test --workspace --locked --doc

.PHONY: test-programs $(PROGRAMS)
test-programs: $(PROGRAMS) ## Run the tests of whole programs: SDKs, sops, example, demo, documentation
$(PROGRAMS): test-%:
	$(CARGO) test --package sealward-tests --locked --test $* -- --nocapture

.PHONY: fuzz
fuzz: ## Fuzz every target in fuzz/ for FUZZ_SECONDS each
	tools/fuzz.sh $(FUZZ_SECONDS)

.PHONY: mutants
mutants: ## Change core in every small way there is; a test must fail for each
	$$(tools/cargo-tool.sh cargo-mutants) mutants --package sealward-core --all-features

##### Dependencies

.PHONY: deny
deny: ## Check sources, licences and duplicates of all dependencies
	$$(tools/cargo-tool.sh cargo-deny) --workspace --all-features --locked check bans licenses sources

.PHONY: advisories
advisories: ## Check dependencies for known vulnerabilities (fetches the RustSec database)
	$$(tools/cargo-tool.sh cargo-deny) --workspace --all-features --locked check advisories

##### The rest

.PHONY: bench
bench: ## Measure, and print a table of the figures; less with BENCH="--quick --only NAME"
	tools/bench.sh $(BENCH)

.PHONY: generate
generate: ## Write the CRD anew, and man pages and completions to target/generated/
	$(CARGO) run --quiet --locked --package sealward-crds --bin crdgen > crds/customermasterkey.yaml.new
	mv crds/customermasterkey.yaml.new crds/customermasterkey.yaml
	mkdir -p target/generated/man target/generated/completions
	$(CARGO) run --quiet --locked --package sealward --bin sealward -- man target/generated/man
	for shell in bash fish zsh; do \
		$(CARGO) run --quiet --locked --package sealward --bin sealward -- \
			completions $$shell > target/generated/completions/sealward.$$shell; \
	done
