# Thin: CMake builds, these are the names a person types.
JOBS ?= $(shell nproc)
BUILD ?= build

all: build

build: $(BUILD)/CMakeCache.txt
	cmake --build $(BUILD) -j $(JOBS)
