# The CPU backend alone, with the modules that it needs and their tests: for a processor whose other libraries are not here.
# tools/scripts/check_aarch64.sh is who asks for it.
include(cmake/modules.cmake)
include(cmake/kernels.cmake)
set(LABAN_MODULES math core reference cpu)
foreach(module IN LISTS LABAN_MODULES)
  laban_module(${module})
endforeach()
target_link_libraries(laban_core PRIVATE nlohmann_json::nlohmann_json)
laban_kernels()
target_link_libraries(laban_cpu PUBLIC Threads::Threads)

enable_testing()
file(GLOB support CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/support/*.cpp)
list(FILTER support EXCLUDE REGEX "/program\\.cpp$") # runs the program, which is not built
add_library(laban_test_support STATIC ${support})
target_include_directories(laban_test_support PUBLIC ${PROJECT_SOURCE_DIR}/tests)
target_compile_definitions(laban_test_support PUBLIC LABAN_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
target_link_libraries(laban_test_support PUBLIC laban_options laban_reference)
file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/cpu/*.cpp)
add_executable(laban_test_cpu ${sources})
target_link_libraries(laban_test_cpu PRIVATE laban_test_support laban_cpu)
add_test(NAME cpu COMMAND laban_test_cpu)
