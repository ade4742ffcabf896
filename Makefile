# Everything a developer or CI does. `make help` lists it.
SHELL := /bin/bash
export CGO_ENABLED = 0
BIN := bin/capstan
GO_FILES := $(shell git ls-files '*.go' 2>/dev/null)

.PHONY: help build demo test race lint fuzz bench proto tidy-check clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

build: ## build bin/capstan, one static binary
	go build -o $(BIN) .

demo: build ## run the main job: word count over the Go toolchain's own source
	@benchmarks/demo.sh $(BIN)

test: build ## run every test
	go vet ./...
	go test -timeout 20m ./...

race: ## run the tests under the race detector (needs a C compiler)
	CGO_ENABLED=1 go test -race -timeout 40m ./...

lint: ## gofmt, vet, and the import policy
	@test -z "$$(gofmt -l $(GO_FILES))" || { gofmt -l $(GO_FILES); echo 'gofmt would change the files above'; exit 1; }
	go vet ./...
	go test -count=1 -run 'TestImports' ./core

fuzz: ## fuzz each parser for 20 s
	@for p in $$(go list ./...); do \
	  for f in $$(go test -list '^Fuzz' $$p 2>/dev/null | grep '^Fuzz'); do \
	    echo "== $$p $$f"; go test -run '^$$' -fuzz "^$$f\$$" -fuzztime 20s $$p || exit 1; \
	  done; done

bench: build ## word count against its peers; writes benchmarks/results/
	$(BIN) bench wordcount

proto: ## regenerate the wire code (needs protoc, protoc-gen-go, protoc-gen-go-grpc, protoc-gen-connect-go)
	protoc -I . --go_out=. --go_opt=paths=source_relative \
	  --connect-go_out=. --connect-go_opt=paths=source_relative core/api/apipb/api.proto core/api/clusterpb/cluster.proto
	protoc -I . --go_out=. --go_opt=paths=source_relative \
	  --go-grpc_out=. --go-grpc_opt=paths=source_relative \
	  core/executor/wirepb/wire.proto plugins/pluginpb/plugin.proto

tidy-check: ## fail if go.mod or go.sum would change
	go mod tidy -diff

clean: ## remove what build made
	rm -rf bin
