# The kernels of src/cpu/kernels and src/cpu/ladder, compiled once for each instruction set: laban_kernels_avx2 and so on. Which
# of them a machine has is asked when the program runs (src/cpu/isa.h). Rules of these folders: src/cpu/kernels/isa_namespace.h.
#
# Sets LABAN_ISAS, from the least to the best; laban_kernels() sets LABAN_KERNEL_OBJECTS.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
  set(LABAN_ISAS neon)
else()
  set(LABAN_ISAS baseline avx2 avx512 avx512bf16)
endif()
set(LABAN_FLAGS_baseline)
set(LABAN_FLAGS_neon)
set(LABAN_FLAGS_avx2 -march=x86-64-v3)
set(LABAN_FLAGS_avx512 -march=x86-64-v4 -mprefer-vector-width=512)
set(LABAN_FLAGS_avx512bf16 ${LABAN_FLAGS_avx512} -mavx512bf16)

# Adds the kernels' objects to laban_cpu, one for each instruction set.
#
# Inline functions and templates are emitted by every file that uses them, and a linker keeps the copy that it meets first. It
# must not be one of these, or the whole program would need their instructions. So the objects of a set are linked into one, and
# all that lies outside the set's namespace becomes local to it.
function(laban_kernels)
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/cpu/kernels/*.cpp ${PROJECT_SOURCE_DIR}/src/cpu/ladder/*.cpp)
  foreach(isa IN LISTS LABAN_ISAS)
    add_library(laban_kernels_${isa} OBJECT ${sources})
    target_compile_definitions(laban_kernels_${isa} PRIVATE LABAN_ISA=${isa})
    # Loops marked `omp simd` are vectorized; no OpenMP runtime is asked for.
    target_compile_options(laban_kernels_${isa} PRIVATE ${LABAN_FLAGS_${isa}} -fopenmp-simd)
    target_link_libraries(laban_kernels_${isa} PRIVATE laban_core laban_math laban_kernel_options)
    set(object ${PROJECT_BINARY_DIR}/kernels_${isa}.o)
    string(LENGTH ${isa} length)
    add_custom_command(
      OUTPUT ${object}
      COMMAND ${CMAKE_LINKER} -r --force-group-allocation -o ${object}.all $<TARGET_OBJECTS:laban_kernels_${isa}>
      # As a mangled name has it: laban::cpu::avx2 is 5laban3cpu4avx2.
      COMMAND ${CMAKE_OBJCOPY} --wildcard --keep-global-symbol=*5laban3cpu${length}${isa}* ${object}.all ${object}
      DEPENDS laban_kernels_${isa} $<TARGET_OBJECTS:laban_kernels_${isa}>
      COMMENT "Linking the kernels for ${isa}" COMMAND_EXPAND_LISTS VERBATIM)
    target_sources(laban_cpu PRIVATE ${object})
    list(APPEND objects ${object})
    list(APPEND all "LABAN_KERNELS(${isa})")
  endforeach()
  list(JOIN all " " all)
  set_source_files_properties(src/cpu/isa.cpp src/cpu/kernels.cpp PROPERTIES COMPILE_DEFINITIONS "LABAN_ALL_KERNELS=${all}")
  set(LABAN_KERNEL_OBJECTS ${objects} PARENT_SCOPE)
  # For whoever links these objects beside laban_cpu (library.cmake): one rule makes them, in one target.
  add_custom_target(laban_kernel_objects DEPENDS ${objects})
  add_dependencies(laban_cpu laban_kernel_objects)
endfunction()
