# The lab's habits. `make` alone says what there is.
BIN ?= bin
PROGRAMS := $(wildcard steps/[0-9]* cmd/lab final/cmd/*)

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## bin/lab, bin/NN-topic, bin/minirun and bin/mini, static
	@mkdir -p $(BIN)
	CGO_ENABLED=0 go build -trimpath -o $(BIN)/ $(addprefix ./,$(PROGRAMS))

.PHONY: test
test: ## every test that this machine can run, as root or not
	go test ./...

.PHONY: lint
lint: ## what .ci/run checks without running a test
	.ci/run lint

.PHONY: fmt
fmt: ## write Go and shell files as lint wants them
	go tool -modfile=tools/go.mod golangci-lint fmt ./...
	shfmt -w $$(.ci/run shell-files)

.PHONY: vm-fast
vm-fast: ## the kernel's tests on cgroup v2, under QEMU: vagrant/ci/packages
	vagrant/ci/fast-vm.sh | go run ./internal/lane -name vm-fast -console -v \
		-skips .ci/skips/vm-fast.txt

.PHONY: vm
vm: ## `vagrant up` from nothing, the steps' tests in it as root and rootless
	.ci/run vm-vagrant

.PHONY: class-box
class-box: ## build/lab.box, a VM that holds all a class needs, tried offline
	@mkdir -p build
	vagrant/ci/class-box.sh build/lab.box

.PHONY: interop
interop: ## podman, containerd, buildah and docker drive minirun: a table; as root
	cd test/interop && go test -count=1

.PHONY: chaos
chaos: ## 500 operations of mini, and whoever is at work is killed now and then; as root
	MINI_OPERATIONS=500 go test -count=1 -timeout 30m -run KilledAnywhere -v ./final/cmd/mini

.PHONY: debian
debian: ## a root of Debian's under mini, also with its own init: docs/debian.md is typed; as root
	test/tutorial/debian-roots build/debian
	go test -count=1 -run Debian -v ./test/tutorial

.PHONY: newcomer
newcomer: ## from a clean clone to the second step, as somebody new, offline
	.ci/newcomer

.PHONY: dev-check
dev-check: build ## all programs of which it is known how they are judged
	$(BIN)/lab dev check

.PHONY: bench
bench: ## what a step adds to a start, what a check takes, beside other tools
	go test -run '^$$' -bench . -benchtime 20x ./internal/bench

.PHONY: ci
ci: ## all lanes, as they must pass
	.ci/run

.PHONY: clean
clean: ## remove what these targets made in the tree
	rm -rf bin build
