# liblaban, static and shared, of the modules' own objects: for other programs. The program and the tests link the modules.
set(objects)
foreach(module IN LISTS LABAN_MODULES)
  get_target_property(type laban_${module} TYPE)
  if(NOT type STREQUAL INTERFACE_LIBRARY)
    list(APPEND objects $<TARGET_OBJECTS:laban_${module}>)
  endif()
endforeach()
list(APPEND objects ${LABAN_KERNEL_OBJECTS})
add_library(laban_static STATIC ${objects})
add_library(laban_shared SHARED ${objects})
foreach(library laban_static laban_shared)
  add_dependencies(${library} laban_kernel_objects)
  set_target_properties(${library} PROPERTIES OUTPUT_NAME laban LINKER_LANGUAGE CXX)
  target_compile_features(${library} INTERFACE cxx_std_20)
  target_include_directories(${library} INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/src>
                             $<INSTALL_INTERFACE:include/laban>)
  target_link_libraries(${library} PRIVATE Threads::Threads PkgConfig::LIBAV PkgConfig::TURBOJPEG
    tomlplusplus::tomlplusplus)
  if(LABAN_WITH_CUDA)
    target_link_libraries(${library} PRIVATE CUDA::cudart CUDA::cublas $<BUILD_INTERFACE:${CUDNN_LIBRARY}>
      $<INSTALL_INTERFACE:cudnn>)
  endif()
endforeach()
if(LABAN_SANITIZE)
  target_link_options(laban_static INTERFACE -fsanitize=${LABAN_SANITIZE})
  target_link_options(laban_shared PUBLIC -fsanitize=${LABAN_SANITIZE})
endif()
# Any version may change the interface as long as the first number is 0.
set_target_properties(laban_shared PROPERTIES VERSION ${PROJECT_VERSION}
                      SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
# As in the installed package: what add_subdirectory(laban) or find_package(laban) gives.
add_library(laban::laban ALIAS laban_shared)
add_library(laban::laban_static ALIAS laban_static)
