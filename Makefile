# Everything a developer runs. `make build` makes a virtual environment and compiles in place; the other targets
# build first what they need. Another interpreter gets an environment of its own: make test PYTHON=python3.12
.DEFAULT_GOAL := build
.PHONY: build demo test bench lint debug asan sanitize fuzz mutants soak record-run requirements clean
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV ?= $(if $(filter python3,$(PYTHON)),.venv,.venv-$(notdir $(PYTHON)))
WIREBOOK_DATA ?= ../shared/data
PYTEST_ARGS ?=

override WIREBOOK_DATA := $(abspath $(WIREBOOK_DATA))
export WIREBOOK_DATA
RUN := $(abspath $(VENV))/bin/python
SOURCES := $(shell find orderbook feeds tests -name '*.pyx' -o -name '*.pxd' -o -name '*.pxi')
PACKAGE_FILES := setup.py pyproject.toml MANIFEST.in README.md CHANGELOG.md SECURITY.md RELIABILITY.md requirements-dev.txt LICENSE Makefile .ci docs benchmarks examples

# ---- environment and compiled modules

# Requirements are read from pyproject.toml: installing the package itself would compile everything a second time.
# $(call install,stamp,extra)
define install
$(RUN) -c "import tomllib; p = tomllib.load(open('pyproject.toml', 'rb')); \
	print(*p['build-system']['requires'], *p['project']['dependencies'], *p['project']['optional-dependencies']['$(2)'], sep='\n')" \
	> $(1).txt
$(RUN) -m pip install --quiet --disable-pip-version-check -r $(1).txt
touch $(1)
endef

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/test.stamp: pyproject.toml | $(VENV)/bin/python
	$(call install,$@,test)

$(VENV)/bench.stamp: pyproject.toml | $(VENV)/bin/python
	$(call install,$@,bench)

$(VENV)/lint.stamp: pyproject.toml | $(VENV)/bin/python
	$(call install,$@,lint)

# The environment finds the checkout by a .pth file, and gets the command that the wheel's entry point would make.
$(VENV)/bin/wirebook: Makefile | $(VENV)/bin/python
	echo "$(CURDIR)" > "$$($(RUN) -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/wirebook.pth"
	printf '#!%s\nimport sys\n\nfrom feeds.cli import main\n\nsys.exit(main())\n' "$(RUN)" > $@
	chmod +x $@

# $(call compile,name): objects go to build/<name>, modules beside their sources. Neither Cython nor the compiler's part
# looks at setup.py, so a change there means everything.
compile = $(if $(filter setup.py,$?),CYTHON_FORCE_REGEN=1 )WIREBOOK_PROBE=1 $(RUN) setup.py --quiet build_ext $(if $(filter setup.py,$?),--force )--inplace --build-temp build/$(1)/temp --build-lib build/$(1)/lib

$(VENV)/build.stamp: $(VENV)/test.stamp setup.py $(SOURCES)
	$(call compile,inplace$(patsubst .venv%,%,$(VENV)))
	touch $@

build: $(VENV)/build.stamp $(VENV)/bin/wirebook

# ---- what to do with them

demo: build
	$(VENV)/bin/wirebook demo --seconds 20

# The sanitizers belong to the suite: Cython's bounds checks do not see C arrays and pointers.
test: build
	$(RUN) -m pytest -n auto --dist loadscope $(PYTEST_ARGS)
	$(MAKE) --no-print-directory sanitize

lint: $(VENV)/lint.stamp
	$(RUN) -m ruff check .
	PATH="$(abspath $(VENV))/bin:$$PATH" cython-lint orderbook feeds tests benchmarks examples

bench: build $(VENV)/bench.stamp
	$(RUN) benchmarks/bench_peers.py
	$(RUN) benchmarks/bench_venues.py
	$(RUN) benchmarks/bench_checksum.py
	$(RUN) -m pytest -q --benchmark-quiet --benchmark-disable-gc benchmarks/bench_pipeline.py benchmarks/bench_book.py \
		benchmarks/bench_consolidated.py
	$(RUN) benchmarks/bench_analytics.py
	$(RUN) benchmarks/bench_wire.py
	$(RUN) benchmarks/bench_transport.py
	$(RUN) benchmarks/bench_age.py
	$(RUN) benchmarks/bench_record.py
	$(RUN) benchmarks/callgrind.py

# ---- other kinds of build, each a copy of the sources in a tree of its own

# $(call mirror,tree): what was compiled stays, and copies keep their times, so that only what changed is compiled again.
define mirror
mkdir -p $(1)
find $(1) -path $(1)/build -prune -o -type f ! -name '*.c' ! -name '*.so' -exec rm -f {} +
tar -cf - --exclude='*.so' --exclude='*.c' --exclude=__pycache__ $(wildcard $(PACKAGE_FILES)) orderbook feeds tests \
	| tar -xf - -C $(1)
endef

# $(call suite,tree,variables,options): the suite of that tree on the modules of that tree, whatever the environment points to.
suite = cd $(1) && PYTHONPATH=$(CURDIR)/$(1) $(2) $(RUN) -m pytest $(3)

debug: export ORDERBOOK_DEBUG = 1
debug: $(VENV)/test.stamp
	$(call mirror,build/debug)
	cd build/debug && $(call compile,objects)
	$(call suite,build/debug,,-m "not slow" $(PYTEST_ARGS))

SANITIZER_CC ?= gcc
# A negative number shifted left is defined by gcc and clang, and a page of negative prices is found that way.
SANITIZER_FLAGS := -fsanitize=address,undefined -fno-sanitize=shift-base -fno-sanitize-recover=undefined \
	-fno-omit-frame-pointer -g1
LIBASAN := $(shell $(SANITIZER_CC) -print-file-name=libasan.so 2>/dev/null)
# Not the tests of plain Python, nor those of the network: its memory is picows' and asyncio's, and they mostly wait.
NOT_SANITIZED := $(patsubst %,tests/feeds/test_%.py,audit capture chains cli connection dialects doctor exchange export \
	export_hftbacktest faults instruments ladder limits listing lists live market names plan plan_command player protocol \
	proxies requests rest security serve_watch session sim_watch simulation simulator transport)
SANITIZED_TESTS := $(filter-out $(NOT_SANITIZED),$(wildcard tests/orderbook/test_*.py tests/feeds/test_*.py))

asan: SHORT =
sanitize: SHORT = -m "not slow" --maxfail=3 -n auto --dist loadscope
# The short form inside `make test` keeps to bytes, numbers and levels: every venue's frames, cut, changed and recorded.
sanitize: SANITIZED_TESTS := tests/orderbook $(patsubst %,tests/feeds/test_%.py,bad_input checksum layout_forms levelmap \
	levels numbers odd parser pipeline protobuf scan sync venues) tests/feeds/venues/test_binance_sbe.py -k "not other_forms and not twin"
asan sanitize: export ASAN_OPTIONS = detect_leaks=0
asan sanitize: export UBSAN_OPTIONS = print_stacktrace=1
asan sanitize: $(VENV)/test.stamp
ifeq ($(wildcard $(filter /%,$(LIBASAN))),)
	@echo "$@: $(SANITIZER_CC) has no libasan here, so nothing was run under the sanitizers"; [ $@ = sanitize ]
else
	$(call mirror,build/asan)
	cd build/asan && CC=$(SANITIZER_CC) CFLAGS="$(SANITIZER_FLAGS)" WIREBOOK_OPT=-O1 $(call compile,objects)
	$(call suite,build/asan,LD_PRELOAD=$(LIBASAN) PYTHONMALLOC=malloc,-q --capture=sys $(SHORT) $(PYTEST_ARGS) $(SANITIZED_TESTS))
endif

# Coverage-guided, with clang's libFuzzer: no part of `make test`. TARGET: one or several of docs/fuzzing.md; INPUT: one
# file to look at. Found inputs and figures stay in build/fuzz/build.
CLANG ?= clang
MINUTES ?= 10
TARGET ?= all
fuzz: $(VENV)/test.stamp
	$(call mirror,build/fuzz)
	cd build/fuzz && PYTHONPATH=$(CURDIR)/build/fuzz nice -n 19 $(RUN) -m tests.fuzz.build --clang $(CLANG) $(TARGET)
	cd build/fuzz && PYTHONPATH=$(CURDIR)/build/fuzz nice -n 19 $(RUN) -m tests.fuzz.run --clang $(CLANG) --minutes $(MINUTES) \
		$(if $(INPUT),--input $(INPUT) )$(TARGET)

# Hundreds of changes that break the core, one at a time: does a test notice? Most of an hour; no part of `make test`.
mutants: build
	$(call mirror,build/mutants)
	mkdir -p build/mutants/build
	$(RUN) -m tests.mutants.run prepare build/mutants
	cd build/mutants && PYTHONPATH=$(CURDIR)/build/mutants nice $(RUN) -m tests.mutants.run

# Five simulated venues with faults and the real client for MINUTES: memory, latency, LIVE books.
soak: build
	$(RUN) -m tests.soak --minutes $(MINUTES)

# `wirebook record` at 100,000 messages a second for MINUTES, killed twice; 10 minutes want 4 GB of disk in OUT.
record-run: build
	$(RUN) -m tests.record_run --minutes $(MINUTES) $(if $(OUT),--out $(OUT))

# Versions and hashes of what development needs, from the registry into requirements-dev.txt; see SECURITY.md.
requirements: | $(VENV)/bin/python
	$(RUN) .ci/requirements.py

clean:
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis .benchmarks
	find orderbook feeds tests benchmarks examples -name '*.so' -delete -o -name '__pycache__' -type d -prune -exec rm -rf {} +
	rm -f $(VENV)/build.stamp examples/*.c
