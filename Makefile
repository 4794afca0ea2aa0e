# Thin: CMake builds; these are the names a person types.
#
#   make          build            make test    build and run every test
#   make demo     the main job, end to end: data, training, report
#   make asan     the tests under AddressSanitizer and UBSan
#   make tsan     the tests under ThreadSanitizer
#   make fuzz     libFuzzer on the readers of weights and of data, a minute each; damaged clips with sanitizers
#   make soak     thousands of damaged clips, opened and read in child processes
#   make gpu-check  everything that only a GPU can show, and its speed, in one report
#   make bundle   dist/laban-VERSION.tar: a build that runs elsewhere
#   make format   rewrite the sources with clang-format        make clean   remove what was built
JOBS ?= $(shell nproc)
BUILD ?= build
CMAKE_FLAGS ?=

.PHONY: all deps configure build test demo asan tsan fuzz soak gpu-check bundle format clean

all: build

deps:
	@sh tools/scripts/install_deps.sh

configure: deps
	@cmake -S . -B $(BUILD) -G Ninja -DCMAKE_BUILD_TYPE=Release $(CMAKE_FLAGS) >$(BUILD).log 2>&1 || { cat $(BUILD).log; exit 1; }
	@grep '^-- laban:' $(BUILD).log | sed 's/^-- //'; mv $(BUILD).log $(BUILD)/configure.log

build: configure
	@cmake --build $(BUILD) -j $(JOBS)

test: build
	@ctest --test-dir $(BUILD) --output-on-failure

# Only the program is built here, not the tests; the time counts from the first line of the set-up.
demo: export DEMO_STARTED := $(shell date +%s)
demo: configure
	@cmake --build $(BUILD) -j $(JOBS) --target laban
	@bash tools/demo/demo.sh $(BUILD)/laban

asan:
	@ASAN_OPTIONS=detect_stack_use_after_return=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
	  LSAN_OPTIONS=suppressions=$(CURDIR)/tests/lsan.supp:print_suppressions=0 \
	  $(MAKE) --no-print-directory test BUILD=build-asan CMAKE_FLAGS=-DLABAN_SANITIZE=address,undefined

# ThreadSanitizer cannot see the barriers of OpenMP's runtime: the ops run on one thread here (src/cpu/parallel.h), the loader on many.
tsan:
	@TSAN_OPTIONS=ignore_noninstrumented_modules=1:suppressions=$(CURDIR)/tests/tsan.supp OMP_NUM_THREADS=1 \
	  $(MAKE) --no-print-directory test BUILD=build-tsan CMAKE_FLAGS=-DLABAN_SANITIZE=thread

# What a run finds interesting stays in build-fuzz/corpus, for the next one. A crash leaves its input in build-fuzz.
FUZZ_SECONDS ?= 60
FUZZ ?= safetensors torch video picture shard packets lists
fuzz:
	@sh tools/scripts/install_deps.sh --fuzz
	@cmake -S tests/fuzz -B build-fuzz -G Ninja -DCMAKE_CXX_COMPILER=clang++ >/dev/null
	@cmake --build build-fuzz -j $(JOBS)
	@for format in $(FUZZ); do echo "fuzzing $$format"; \
	  build-fuzz/fuzz_seeds $$format build-fuzz/corpus/$$format && \
	  build-fuzz/fuzz_$$format -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
	    -artifact_prefix=build-fuzz/$$format- build-fuzz/corpus/$$format || exit 1; \
	done
	@build-fuzz/soak --files 500 --patience 120 --keep build-fuzz/soak-findings

# The same seed damages the same clips in the same ways; findings leave their files in build/soak.
SOAK_FILES ?= 10000
soak: configure
	@cmake --build $(BUILD) -j $(JOBS) --target laban_soak
	@$(BUILD)/laban_soak --files $(SOAK_FILES) --keep $(BUILD)/soak

gpu-check: configure
	@cmake --build $(BUILD) -j $(JOBS) --target laban laban_test_gpu
	@bash tools/scripts/gpu_check.sh --bin $(BUILD)

bundle:
	@$(MAKE) --no-print-directory configure BUILD=build-bundle \
	  CMAKE_FLAGS='-DLABAN_MARCH=x86-64-v3 -DLABAN_CUDA_ARCHITECTURES="80;86;89;90;100;120"'
	@cmake --build build-bundle -j $(JOBS) --target laban
	@if grep -q LABAN_NVCC:FILEPATH=/ build-bundle/CMakeCache.txt; then cmake --build build-bundle -j $(JOBS) --target laban_test_gpu; fi
	@bash tools/scripts/bundle.sh build-bundle

format:
	@sh tools/scripts/install_deps.sh --format
	@git ls-files '*.cpp' '*.h' '*.cu' | xargs clang-format -i

clean:
	rm -rf build build-asan build-tsan build-fuzz build-bundle dist
