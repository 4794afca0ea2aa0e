# Whether laban is built with CUDA, and how. Sets LABAN_WITH_CUDA; says why not in one line.
#
#   LABAN_CUDA                 ON: with CUDA where the toolkit (12.0 or later) and cuDNN are found; OFF: without;
#                              AUTO: as ON where this machine has an NVIDIA GPU, else as OFF
#   LABAN_CUDA_ARCHITECTURES   for which GPUs: "native" where there is one, else 90 (H100, H200);
#                              a release takes 80;86;89;90;100;120
set(LABAN_CUDA AUTO CACHE STRING "build the CUDA backend where its toolkit is installed: ON, OFF or AUTO (if there is a GPU)")
set_property(CACHE LABAN_CUDA PROPERTY STRINGS AUTO ON OFF)
set(LABAN_WITH_CUDA OFF)

function(laban_look_for_cuda answer)
  if(NOT LABAN_CUDA)
    set(${answer} "LABAN_CUDA is OFF" PARENT_SCOPE)
    return()
  endif()
  if(LABAN_SANITIZE)
    set(${answer} "sanitizers look at host code, and at the kernels in their emulation" PARENT_SCOPE)
    return()
  endif()
  if(LABAN_CUDA STREQUAL "AUTO" AND NOT EXISTS /dev/nvidia0 AND NOT EXISTS /dev/dxg)
    set(${answer} "there is no NVIDIA GPU here; -DLABAN_CUDA=ON builds the CUDA backend all the same" PARENT_SCOPE)
    return()
  endif()
  if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX})
    find_program(LABAN_NVCC nvcc PATHS /usr/local/cuda/bin)
    if(NOT LABAN_NVCC)
      set(${answer} "nvcc was not found" PARENT_SCOPE)
      return()
    endif()
    set(ENV{CUDACXX} ${LABAN_NVCC}) # not CMAKE_CUDA_COMPILER: check_language would then take its word
  endif()
  find_path(CUDNN_INCLUDE_DIR cudnn_graph.h PATHS /usr/local/cuda/include)
  find_library(CUDNN_LIBRARY cudnn PATHS /usr/local/cuda/lib64)
  if(NOT CUDNN_INCLUDE_DIR OR NOT CUDNN_LIBRARY)
    set(${answer} "cuDNN was not found" PARENT_SCOPE)
    return()
  endif()
  file(STRINGS ${CUDNN_INCLUDE_DIR}/cudnn_version.h version REGEX "#define CUDNN_(MAJOR|MINOR) ")
  string(REGEX REPLACE "[^0-9]+([0-9]+)[^0-9]+([0-9]+).*" "\\1.\\2" version "${version}")
  if(version VERSION_LESS 9.15) # before it, bf16 conv3d is wrong for large tensors: src/cuda/check.h
    set(${answer} "cuDNN ${version} in ${CUDNN_INCLUDE_DIR} is too old: 9.15 or later" PARENT_SCOPE)
    return()
  endif()
  set(${answer} "" PARENT_SCOPE)
endfunction()

laban_look_for_cuda(LABAN_CUDA_MISSING)
if(NOT LABAN_CUDA_MISSING)
  if(NOT LABAN_CUDA_ARCHITECTURES)
    set(architectures 90)
    if(EXISTS /dev/nvidia0)
      set(architectures native)
    endif()
    set(LABAN_CUDA_ARCHITECTURES ${architectures} CACHE STRING "CUDA architectures: native, or a list of numbers")
  endif()
  set(CMAKE_CUDA_ARCHITECTURES ${LABAN_CUDA_ARCHITECTURES})
  include(CheckLanguage)
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    enable_language(CUDA)
    # CMake 3.25.1 does not know that nvcc has C++20 from 12.0 on.
    if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
      set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
    endif()
    set(CMAKE_CUDA_STANDARD 20)
    set(CMAKE_CUDA_STANDARD_REQUIRED ON)
    set(CMAKE_CUDA_EXTENSIONS OFF)
    find_package(CUDAToolkit)
    if(CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 12.0 OR NOT CUDAToolkit_FOUND)
      set(LABAN_CUDA_MISSING "the CUDA toolkit ${CMAKE_CUDA_COMPILER_VERSION} is too old or incomplete: 12.0 or later")
    else()
      set(LABAN_WITH_CUDA ON)
    endif()
  else()
    set(LABAN_CUDA_MISSING "nvcc is there but does not work, see the log in CMakeFiles")
  endif()
endif()

if(LABAN_WITH_CUDA)
  message(STATUS "laban: building with CUDA ${CMAKE_CUDA_COMPILER_VERSION} for architectures ${LABAN_CUDA_ARCHITECTURES}")
else()
  message(STATUS "laban: building without CUDA: ${LABAN_CUDA_MISSING} (--device cpu and reference are there)")
endif()

# The module src/cuda: its .cpp files but absent.cpp, and the kernels. Without CUDA: absent.cpp alone.
function(laban_cuda_module)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/cuda/*.cpp)
  set(absent ${PROJECT_SOURCE_DIR}/src/cuda/absent.cpp)
  if(NOT LABAN_WITH_CUDA)
    laban_module(cuda ${absent})
    return()
  endif()
  file(GLOB_RECURSE kernels CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/cuda/*.cu)
  list(REMOVE_ITEM sources ${absent})
  laban_module(cuda ${sources} ${kernels})
  target_compile_options(laban_cuda PRIVATE
    # -Werror for the host compiler stands in the list: ccache would take it for nvcc's own, which has a value.
    "$<$<AND:$<BOOL:${LABAN_WERROR}>,$<COMPILE_LANGUAGE:CUDA>>:SHELL:-Werror all-warnings>"
    "$<$<COMPILE_LANGUAGE:CUDA>:SHELL:-Xcompiler -Wall,-Wextra,-Wconversion,-Wno-sign-conversion$<$<BOOL:${LABAN_WERROR}>:,-Werror>>")
  # A kernel that spills registers is a mistake. Which one does depends on the compiler: asked of the one that we know.
  if(CMAKE_CUDA_COMPILER_VERSION VERSION_GREATER_EQUAL 13.0 AND CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 13.1)
    target_compile_options(laban_cuda PRIVATE "$<$<COMPILE_LANGUAGE:CUDA>:SHELL:-Xptxas --warn-on-spills>")
  endif()
  target_include_directories(laban_cuda SYSTEM PRIVATE ${CUDNN_INCLUDE_DIR} ${CUDAToolkit_INCLUDE_DIRS})
  target_link_libraries(laban_cuda PRIVATE CUDA::cudart CUDA::cublas ${CUDNN_LIBRARY} nlohmann_json::nlohmann_json)
endfunction()

# Tests of src/cuda: cuDNN plans for a GPU that is described in a file (tests/cuda), and those that need one (tests/gpu).
function(laban_cuda_tests)
  if(NOT LABAN_WITH_CUDA)
    return()
  endif()
  laban_tests(cuda laban_cuda laban_models nlohmann_json::nlohmann_json)
  target_include_directories(laban_test_cuda SYSTEM PRIVATE ${CUDNN_INCLUDE_DIR} ${CUDAToolkit_INCLUDE_DIRS})
  # What only a GPU can show; skipped, visibly, where there is none.
  laban_tests(gpu laban_train laban_cuda)
  # cuDNN and cuBLAS load the driver's libcuda.so.1 by that name. Where there is no driver the toolkit's stub stands
  # in for it, so that they load and say that there is no GPU. Never in front of a real one.
  execute_process(COMMAND sh -c "PATH=$PATH:/sbin:/usr/sbin ldconfig -p" OUTPUT_VARIABLE libraries ERROR_QUIET)
  find_file(LABAN_CUDA_STUB libcuda.so PATHS ${CUDAToolkit_LIBRARY_DIR}/stubs ${CUDAToolkit_LIBRARY_ROOT}/lib64/stubs
            NO_DEFAULT_PATH)
  if(NOT libraries MATCHES "libcuda\\.so\\.1 " AND LABAN_CUDA_STUB)
    file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/stub-driver)
    file(CREATE_LINK ${LABAN_CUDA_STUB} ${PROJECT_BINARY_DIR}/stub-driver/libcuda.so.1 SYMBOLIC)
    set(LABAN_FIND_DRIVER "LD_LIBRARY_PATH=path_list_append:${PROJECT_BINARY_DIR}/stub-driver" CACHE INTERNAL
        "change of a test's environment by which cuDNN finds a driver, or what stands in for it")
    set_tests_properties(cuda PROPERTIES ENVIRONMENT_MODIFICATION "${LABAN_FIND_DRIVER}")
  endif()
endfunction()
