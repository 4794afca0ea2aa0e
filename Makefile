# Thin: CMake builds (CMakePresets.json says how); these are the names a person types.
#
#   make          build            make test    build and run every test
#   make demo     the main job, end to end: data, training, report
#   make asan     the tests under AddressSanitizer and UBSan
#   make tsan     the tests under ThreadSanitizer
#   make fuzz     libFuzzer on the readers of weights and of data, a minute each; damaged clips with sanitizers
#   make soak     thousands of damaged clips, opened and read in child processes
#   make gpu-check  everything that only a GPU can show, and its speed, in one report
#   make bundle   dist/laban-VERSION.tar: a build that runs elsewhere
#   make deb      dist/laban_VERSION_ARCHITECTURE.deb: a Debian package for the Debian it is built on
#   make install  the program, liblaban, headers, completions and man pages below PREFIX (/usr/local)
#   make counts   measure the instruction counts of tests/counts anew
#   make format   rewrite the sources with clang-format        make clean   remove what was built
JOBS ?= $(shell nproc)
PREFIX ?= /usr/local
PRESET ?= cuda
BUILD ?= build
# For CMake, on top of the preset.
CMAKE_FLAGS ?=
# $(call configure_with,PRESET,FOLDER,FLAGS): quietly, but for the line that says whether with CUDA.
configure_with = @cmake --preset $(1) -B $(2) $(3) >$(2).log 2>&1 || { cat $(2).log; exit 1; }; \
  grep '^-- laban:' $(2).log | sed 's/^-- //'; mv $(2).log $(2)/configure.log

.PHONY: all deps configure build test demo asan tsan fuzz soak gpu-check bundle deb install counts format clean

all: build

deps:
	@sh tools/scripts/install_deps.sh

configure: deps
	$(call configure_with,$(PRESET),$(BUILD),$(options) $(CMAKE_FLAGS))

build: options += -DBUILD_TESTING=ON
build: configure
	@cmake --build $(BUILD) -j $(JOBS)

test: options += -DLABAN_WERROR=ON
test: build
	@ctest --test-dir $(BUILD) --output-on-failure

# Only the program is built here, not the tests, and CUDA only where a GPU is, unless this folder has been configured before;
# the time counts from the first line of the set-up.
demo: export DEMO_STARTED := $(shell date +%s)
demo:
	@sh tools/scripts/install_deps.sh --build-only
	$(call configure_with,release,$(BUILD),$(if $(wildcard $(BUILD)/CMakeCache.txt),,-DBUILD_TESTING=OFF) $(CMAKE_FLAGS))
	@cmake --build $(BUILD) -j $(JOBS) --target laban
	@bash tools/demo/demo.sh $(BUILD)/laban

asan:
	@ASAN_OPTIONS=detect_stack_use_after_return=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
	  LSAN_OPTIONS=suppressions=$(CURDIR)/tests/lsan.supp:print_suppressions=0 \
	  $(MAKE) --no-print-directory test PRESET=asan BUILD=build-asan

tsan:
	@TSAN_OPTIONS=ignore_noninstrumented_modules=1 $(MAKE) --no-print-directory test PRESET=tsan BUILD=build-tsan

# What a run finds interesting stays in build-fuzz/corpus, for the next one. A crash leaves its input in build-fuzz.
FUZZ_SECONDS ?= 60
FUZZ ?= safetensors torch checkpoint video picture shard packets lists
fuzz:
	@sh tools/scripts/install_deps.sh --fuzz
	$(call configure_with,fuzz,build-fuzz,$(CMAKE_FLAGS))
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

bundle: deps
	$(call configure_with,portable,build-bundle,$(CMAKE_FLAGS))
	@cmake --build build-bundle -j $(JOBS) --target laban
	@if grep -q LABAN_NVCC:FILEPATH=/ build-bundle/CMakeCache.txt; then cmake --build build-bundle -j $(JOBS) --target laban_test_gpu; fi
	@bash tools/scripts/bundle.sh build-bundle

deb:
	@sh tools/scripts/install_deps.sh --deb
	$(call configure_with,deb,build-deb,$(CMAKE_FLAGS))
	@cmake --build build-deb -j $(JOBS)
	@cd build-deb && cpack >cpack.log 2>&1 || { cat cpack.log; exit 1; }
	@sed -n 's/^CPack: - package: \(.*\) generated\.$$/\1/p' build-deb/cpack.log

install: configure
	@cmake --build $(BUILD) -j $(JOBS) --target laban laban_static laban_shared
	@cmake --install $(BUILD) --prefix $(PREFIX)

counts: configure
	@cmake --build $(BUILD) -j $(JOBS) --target laban_counts
	@sh tests/counts/compare.sh --update $(BUILD)/tests/counts/laban_counts c++

format:
	@sh tools/scripts/install_deps.sh --format
	@git ls-files '*.cpp' '*.h' '*.cu' | xargs clang-format -i

clean:
	rm -rf build build-asan build-tsan build-fuzz build-bundle build-deb build-debug dist
