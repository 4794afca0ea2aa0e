# What `cmake --install` and the Debian package put where: the program, liblaban with its headers, what find_package and
# pkg-config read, completions and man pages.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set_target_properties(laban_shared PROPERTIES EXPORT_NAME laban)
install(TARGETS laban RUNTIME)
install(TARGETS laban_static laban_shared EXPORT laban LIBRARY ARCHIVE)

# Headers keep their places below include/laban, which is itself on the search path: they include each other as
# "core/tensor.h". Two modules show little of themselves; elsewhere a header is public unless it needs another library's, directly or
# by way of a header that does.
set(headers cpu/cpu_backend.h cpu/isa.h cuda/make_backend.h)
foreach(module IN LISTS LABAN_MODULES)
  if(NOT module MATCHES "^(cpu|cuda)$")
    file(GLOB_RECURSE found RELATIVE ${PROJECT_SOURCE_DIR}/src CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${module}/*.h)
    list(APPEND headers ${found})
  endif()
endforeach()
set(private "<(lib|oneapi|omp|cuda|cudnn|cublas|nlohmann|toml|turbojpeg|stb)")
set(changed TRUE)
while(changed)
  set(changed FALSE)
  foreach(header IN LISTS headers)
    file(STRINGS ${PROJECT_SOURCE_DIR}/src/${header} needs REGEX "^#include (${private})")
    if(needs)
      list(REMOVE_ITEM headers ${header})
      string(REPLACE "." "\\." escaped ${header})
      string(APPEND private "|\"${escaped}\"")
      set(changed TRUE)
    endif()
  endforeach()
endwhile()
foreach(header IN LISTS headers)
  get_filename_component(folder ${header} DIRECTORY)
  install(FILES ${PROJECT_SOURCE_DIR}/src/${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/laban/${folder})
endforeach()

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/laban)
install(EXPORT laban NAMESPACE laban:: FILE laban-targets.cmake DESTINATION ${package})
configure_package_config_file(${PROJECT_SOURCE_DIR}/packaging/laban-config.cmake.in
                              ${PROJECT_BINARY_DIR}/packaging/laban-config.cmake INSTALL_DESTINATION ${package})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/packaging/laban-config-version.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/packaging/laban-config.cmake ${PROJECT_BINARY_DIR}/packaging/laban-config-version.cmake
        DESTINATION ${package})
file(RELATIVE_PATH LABAN_PC_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
set(LABAN_PC_CUDA)
if(LABAN_WITH_CUDA)
  set(LABAN_PC_CUDA "-L${CUDAToolkit_LIBRARY_DIR} -lcudart -lcublas -lcudnn")
endif()
configure_file(${PROJECT_SOURCE_DIR}/packaging/laban.pc.in ${PROJECT_BINARY_DIR}/packaging/laban.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/packaging/laban.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# Completions and man pages are the program's own output. Without such a command nothing is installed.
install(CODE "set(laban \"${PROJECT_BINARY_DIR}/laban\")
set(work \"${PROJECT_BINARY_DIR}/packaging\")
set(share \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DATADIR}\")")
install(SCRIPT ${PROJECT_SOURCE_DIR}/packaging/install_generated.cmake)

include(${PROJECT_SOURCE_DIR}/packaging/deb.cmake)
