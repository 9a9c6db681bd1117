# `make` formats, lints and tests; `make help` lists everything.

GO       ?= go
BIN      := bin
TOOLS    := .bin
FUZZTIME ?= 20s
FUZZPKGS ?= ./...
BENCH    ?= .
READS    ?= 10000000
MATCH    ?=
SEEDS    ?= 200
CHAOS    ?= 60s
OUTAGES  ?=
WORLD    ?= 30m
SEED     ?= 1
SOAK     ?= 10m
DATABASES ?= sqlite
# Most tests wait for time to pass: more of them at a time than there are processors.
PARALLEL ?= 6

GOLANGCI_VERSION := v2.15.0
GOFUMPT_VERSION  := v0.12.0

# All targets compile in one way, without C and without the folder's name, so that each finds what another has compiled.
# `make lint` vets; `go test` would do that once more, for every dependency.
export CGO_ENABLED := 0
export GOFLAGS := $(strip $(filter-out -trimpath -vet=%,$(shell $(GO) env GOFLAGS)) -trimpath -vet=off)

# The race detector needs a C compiler. Without one the tests still run, and say so; CI always has one.
# SQLite is C translated to Go. The detector does not look at its memory, which lies outside of Go's heap, but asking it at
# each access takes two thirds of the time (docs/decisions/0038-what-the-race-detector-watches.md).
CC_FOUND := $(shell command -v $$($(GO) env CC) 2>/dev/null)
ifdef CC_FOUND
RACE := -race -gcflags=modernc.org/sqlite/lib=-race=false
endif

.DEFAULT_GOAL := all
.PHONY: all help build test postgres lint fmt demo exact sim chaos worlds soak topology model hostile bench bench-quick bench-go bench-check guards redis fuzz mutants tools clean

all: fmt lint test ## format, lint, test (the default)

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## bin/lethe-node and bin/lethe-publisher
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags='-s -w' -o $(BIN)/lethe-node ./cmd/node
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags='-s -w' -o $(BIN)/lethe-publisher ./cmd/publisher

test: postgres ## every test, with the race detector where there is a C compiler
	@test -n "$(RACE)" || echo "note: no C compiler found, so the tests run without the race detector (install gcc)" >&2
	$(if $(RACE),CGO_ENABLED=1) $(GO) test $(RACE) -timeout 60m -parallel $(PARALLEL) ./...
	cd chaos && $(GO) test ./judge ./whole
	@$(GO) test -count=1 ./internal/floors # what go list says is no input that the test cache knows of

postgres: ## a PostgreSQL and a PgBouncer for the tests: those that are installed, LETHE_TEST_POSTGRES, LETHE_TEST_PGBOUNCER, or Debian's
	@.ci/postgres

lint: tools ## golangci-lint, gofumpt and go vet, pinned
	$(TOOLS)/golangci-lint run ./...
	cd chaos && ../$(TOOLS)/golangci-lint run ./...
	cd deploy && ../$(TOOLS)/golangci-lint run ./...
	cd bench && ../$(TOOLS)/golangci-lint run ./...
	@out=$$($(TOOLS)/gofumpt -l .); test -z "$$out" || { echo "not formatted (run make fmt):"; echo "$$out"; exit 1; }

fmt: tools ## gofumpt and import order over the tree
	$(TOOLS)/golangci-lint fmt ./...
	$(TOOLS)/gofumpt -w .

demo: build ## three nodes, real files, four ways to forget; manifests and views over them (KEEP=1 leaves it running)
	CGO_ENABLED=0 $(GO) build -trimpath -o $(BIN)/platform ./examples/platform
	$(GO) run ./examples/demo -bin $(BIN) -catalog examples/catalog $(if $(KEEP),-keep)

exact: ## the exactness run, long: READS reads that must all be fresh
	LETHE_EXACT_READS=$(READS) $(GO) test -count=1 -timeout 60m -run NoReadAfterWait -v ./pkg/lethe/

sim: ## the whole fleet under virtual time: SEEDS seeds; a failing one is replayed by its number
	$(GO) run ./internal/sim/simulate -seeds $(SEEDS)

chaos: postgres ## a real three-node cluster, nodes and brokers on two databases as processes, with faults and outages (OUTAGES=5s-2m), for CHAOS
	cd chaos && $(GO) build -o ../$(BIN)/chaos . && ../$(BIN)/chaos -for $(CHAOS) -databases sqlite,postgres -outages '$(OUTAGES)'

worlds: postgres ## a random world of brokers on SQLite and PostgreSQL, for WORLD: processes, relays, servers stopped and killed, a standby promoted; SEED
	cd chaos && $(GO) build -o ../$(BIN)/chaos . && ../$(BIN)/chaos -world $(WORLD) -seed $(SEED)

topology: postgres ## docker-compose.yml and Dockerfile, checked, and the same topology as processes
	cd deploy && $(GO) test -count=1 -timeout 20m ./...

model: ## two Promela models, checked exhaustively by spin, and their mutants (Debian: apt-get install spin)
	docs/model/check.sh

soak: ## keys and values of every length, hostile events, nodes that come and go, for SOAK: heap within its bound, no goroutine left
	LETHE_SOAK=$(SOAK) $(GO) test -count=1 -timeout 24h -run TestASoak -v ./pkg/lethe/

hostile: ## a million malformed or hostile messages at one node
	LETHE_HOSTILE=1000000 $(GO) test -count=1 -timeout 30m -run Hostile -v ./pkg/lethe/ ./internal/bus/

bench: redis ## Lethe beside its peers, interleaved: bench/results has tables, charts and raw data; 15 minutes
	cd bench && $(GO) build -o ../$(BIN)/bench . && ../$(BIN)/bench

bench-quick: redis ## the same in two minutes, into bin/bench-quick
	cd bench && $(GO) build -o ../$(BIN)/bench . && ../$(BIN)/bench -quick -to ../$(BIN)/bench-quick

bench-go: ## the benchmarks of the packages, with allocations (BENCH=regexp), and brokers on DATABASES
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem ./...
	cd bench && $(GO) build -o ../$(BIN)/bench . && ../$(BIN)/bench -manifests '$(DATABASES)'

guards: ## what speed rests on and no clock has a say in: allocations, bytes an entry, messages an invalidation (without the race detector, which allocates)
	$(GO) test -count=1 -run 'Allocat|EntryTakes|GenerationTakes|OneMessage|ShareMessages' ./pkg/lethe ./pkg/event ./internal/depend ./internal/fence ./internal/bus

bench-check: ## that the benchmarks compile, and say what they measure
	cd bench && $(GO) vet ./... && $(GO) test ./internal/... && $(GO) test -run 'Takes|Units|WideArea|Batches|Books' ./capacity

redis: ## a redis-server for the benchmarks: one that is installed, LETHE_BENCH_REDIS, or Debian's
	@.ci/redis

fuzz: ## each fuzz target of FUZZPKGS for FUZZTIME
	@set -e; for pkg in $$($(GO) list $(FUZZPKGS)); do \
		for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
			echo "== $$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) $$pkg; \
		done; \
	done

mutants: ## break the code on purpose: every listed mutant must be caught by its tests
	$(GO) run ./internal/mutants -match '$(MATCH)'

tools: $(TOOLS)/golangci-lint $(TOOLS)/gofumpt

# A copy already installed is taken when it has the pinned version, else it is built into .bin.
$(TOOLS)/golangci-lint: Makefile
	@mkdir -p $(TOOLS)
	@have=$$($(GO) env GOPATH)/bin/golangci-lint; \
	if $$have version 2>/dev/null | grep -q "$(GOLANGCI_VERSION:v%=%)"; then ln -sf $$have $@; \
	else GOBIN=$(CURDIR)/$(TOOLS) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION); fi
	@touch -h $@

$(TOOLS)/gofumpt: Makefile
	@mkdir -p $(TOOLS)
	@have=$$($(GO) env GOPATH)/bin/gofumpt; \
	if $$have -version 2>/dev/null | grep -q "$(GOFUMPT_VERSION)"; then ln -sf $$have $@; \
	else GOBIN=$(CURDIR)/$(TOOLS) $(GO) install mvdan.cc/gofumpt@$(GOFUMPT_VERSION); fi
	@touch -h $@

clean: ## remove what build and tools made
	rm -rf $(BIN) $(TOOLS)
