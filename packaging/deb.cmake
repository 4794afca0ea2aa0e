# `make deb`: one package, laban_VERSION_ARCHITECTURE.deb, for the Debian it is built on. Which packages it needs is read
# from the libraries that the program and liblaban are linked with (dpkg-shlibdeps).
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME laban)
set(CPACK_PACKAGE_CONTACT "The laban developers <laban@localhost>")
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_SOURCE_DIR}/dist)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"R3D, MC3, R(2+1)D and 3D ResNets, from video files to a checkpoint, on any
CPU. The package has the program, the library liblaban and its headers.")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
# 0.1.0~deb12: packages of two Debians differ in what they need, so they differ in version as well.
file(STRINGS /etc/os-release release REGEX "^VERSION_ID=")
string(REGEX REPLACE "[^0-9]" "" release "${release}")
set(CPACK_DEBIAN_PACKAGE_VERSION ${PROJECT_VERSION}~deb${release})
include(CPack)
