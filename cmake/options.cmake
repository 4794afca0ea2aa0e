# How laban's own sources are compiled: laban_kernel_options those of src/cpu/kernels, laban_options all. nvcc gets its own
# warnings in cmake/cuda.cmake: these here are the host compiler's.
add_library(laban_kernel_options INTERFACE)
target_compile_options(laban_kernel_options INTERFACE
  $<$<COMPILE_LANGUAGE:C,CXX>:-Wall -Wextra -Wpedantic -Wconversion -Wno-sign-conversion>
  $<$<AND:$<BOOL:${LABAN_WERROR}>,$<COMPILE_LANGUAGE:C,CXX>>:-Werror>
  $<$<CXX_COMPILER_ID:GNU>:$<$<COMPILE_LANGUAGE:CXX>:-fno-semantic-interposition>>)
if(LABAN_SANITIZE)
  target_compile_options(laban_kernel_options INTERFACE -fsanitize=${LABAN_SANITIZE} -fno-omit-frame-pointer -g1 -O1)
  target_link_options(laban_kernel_options INTERFACE -fsanitize=${LABAN_SANITIZE})
endif()
add_library(laban_options INTERFACE)
target_link_libraries(laban_options INTERFACE laban_kernel_options)
if(LABAN_MARCH)
  target_compile_options(laban_options INTERFACE $<$<COMPILE_LANGUAGE:C,CXX>:-march=${LABAN_MARCH}>)
endif()
