# make help lists the targets. Nothing is needed but Go and, for the test of the
# C header, a C compiler.
GO ?= go
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

# make race PKGS=./queue, make bench BENCH=Engine COUNT=10, make fuzz FUZZTIME=5m,
# make fuzz FUZZ='FuzzIoctls|FuzzRaw' (by name), make fuzz NOFUZZ=FuzzRaw (all but),
# make soak SOAK=1h SEED=1000
PKGS      ?= ./...
FUZZ      ?= Fuzz
NOFUZZ    ?= ^$$
FUZZTIME  ?= 30s
SOAK      ?= 10m
SEED      ?= 1
BENCH     ?= .
BENCHTIME ?= 1s
COUNT     ?= 6

.DEFAULT_GOAL := help
.PHONY: help build test race lint policy bench gen check fuzz soak

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

build: ## bin/presi, and everything else compiled
	$(GO) build ./...
	$(GO) build -o bin/presi ./cmd/presi

test: ## all tests
	$(GO) test $(PKGS)

race: ## all tests under the race detector
	$(GO) test -race -timeout 60m $(PKGS)

lint: ## gofmt, go mod tidy, go vet, staticcheck
	@files=$$(gofmt -l .); test -z "$$files" || { echo "gofmt -w is due in:"; echo "$$files"; exit 1; }
	$(GO) mod tidy -diff
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...

policy: ## who may import whom
	$(GO) test -count=1 .

bench: ## benchmarks, into bench.txt for benchstat
	$(GO) test ./benchmarks -run '^$$' -bench '$(BENCH)' -benchtime $(BENCHTIME) -count $(COUNT) | tee bench.txt

gen: ## rewrite the generated files: docs/, samples in texts, assembly
	$(GO) generate ./hw/kern/...
	$(GO) test ./docs -count=1 -run TestGenerated -update
	$(GO) test ./validate -count=1 -run TestTargets -update

check: lint policy ## generated files in step, lint, import policy
	$(GO) test ./hw/kern/internal/gen -count=1
	$(GO) test ./docs -count=1 -run TestGenerated
	$(GO) test ./validate -count=1 -run TestTargets

fuzz: ## every fuzz target for FUZZTIME
# Now and then Go's fuzzer reports the end of its own time as a failure.
	@set -e; log=$$(mktemp); trap "rm -f $$log" EXIT; \
	for t in $$(grep -ro --include=*_test.go '^func Fuzz[A-Za-z0-9_]*' . | grep -E '$(FUZZ)' | grep -vE '$(NOFUZZ)' | sed 's|/[^/]*:func |:|' | sort); do \
		echo "== $${t%%:*} $${t##*:}"; \
		$(GO) test $${t%%:*} -run '^$$' -fuzz "^$${t##*:}\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 2s >$$log 2>&1 || \
			{ grep -q 'context deadline exceeded' $$log && ! grep -q 'Failing input' $$log; } || { cat $$log; exit 1; }; \
		tail -n 3 $$log; \
	done

soak: ## all faults, programs and resets at random for SOAK, from SEED on
	$(GO) test ./fw/fwtest -count=1 -timeout 0 -run '^(TestSoak|TestBigMemory)$$' -soak $(SOAK) -soakseed $(SEED)
