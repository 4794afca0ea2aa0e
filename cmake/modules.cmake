# A static library for each folder of src, laban_<module>, linked as modules.txt says.
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/modules.txt)
file(STRINGS ${PROJECT_SOURCE_DIR}/cmake/modules.txt lines REGEX "^[a-z]+:")
foreach(line IN LISTS lines)
  string(REGEX MATCH "^[a-z]+" module "${line}")
  string(REGEX REPLACE "^[a-z]+: *" "" others "${line}")
  string(REPLACE " " ";" others "${others}")
  list(APPEND LABAN_MODULES ${module})
  set(LABAN_USES_${module} ${others})
endforeach()

# Adds the module, of these sources or else of all its .cpp files. laban_options are for laban's own sources: whoever links a
# module gets its headers, but neither its warnings nor its optimization.
function(laban_module name)
  set(sources ${ARGN})
  if(NOT sources)
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/*.cpp)
    list(FILTER sources EXCLUDE REGEX "/src/cpu/(kernels|ladder)/") # kernels.cmake
  endif()
  list(TRANSFORM LABAN_USES_${name} PREPEND laban_ OUTPUT_VARIABLE others)
  if(NOT sources) # headers alone
    add_library(laban_${name} INTERFACE)
    target_include_directories(laban_${name} INTERFACE ${PROJECT_SOURCE_DIR}/src)
    target_link_libraries(laban_${name} INTERFACE ${others})
    return()
  endif()
  add_library(laban_${name} STATIC ${sources})
  target_include_directories(laban_${name} PUBLIC ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(laban_${name} PUBLIC ${others} PRIVATE laban_options)
endfunction()

# Headers that nearly every source file of a target reads, compiled once. Only the standard library's and other people's: a
# change of ours must not compile everything anew. No file may rely on it: the presets for debugging and for sanitizers
# build without (CMAKE_DISABLE_PRECOMPILE_HEADERS).
set(LABAN_COMMON_HEADERS <algorithm> <array> <cmath> <cstdint> <filesystem> <functional> <map> <memory> <optional> <span>
    <sstream> <string> <string_view> <vector>)
function(laban_precompile target)
  target_precompile_headers(${target} PRIVATE ${LABAN_COMMON_HEADERS} ${ARGN})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU") # by which ccache sees what a precompiled header holds
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess>)
  endif()
endfunction()

# For targets whose time goes elsewhere: into other modules' kernels, or into waiting for a person. Optimizing their JSON and
# their flags is most of what compiling them costs.
function(laban_optimize_lightly target)
  target_compile_options(${target} PRIVATE "$<$<AND:$<COMPILE_LANGUAGE:CXX>,$<CONFIG:Release>>:-O1>")
endfunction()
