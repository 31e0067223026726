# House rules of the build: flags for every target, and the three functions that make one.

option(KIT_TESTS "Build the test suites" ON)
option(KIT_BENCH "Build the floor server and the load generator" OFF)
option(KIT_FUZZ "Build the fuzz targets (libFuzzer)" OFF)
set(KIT_SANITIZE "" CACHE STRING "Sanitizers, as for -fsanitize=: address,undefined or thread")
option(KIT_COVERAGE "Instrument for llvm-cov" OFF)
option(KIT_HARDEN "Hardening flags of a production binary" OFF)

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS ON)  # TRY is a statement expression
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}")

find_program(KIT_CCACHE ccache)
if(KIT_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND};-E;env;CCACHE_SLOPPINESS=pch_defines,time_macros;${KIT_CCACHE}")
endif()

find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(fmt REQUIRED)

add_library(kit_flags INTERFACE)
target_compile_options(kit_flags INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wcast-qual -Wimplicit-fallthrough
    -Wno-gnu-statement-expression -Wno-missing-designated-field-initializers -Werror -Werror=switch -Werror=unused-result -Wno-gnu-zero-variadic-macro-arguments
    -fno-omit-frame-pointer -Xclang -fno-pch-timestamp)
target_compile_definitions(kit_flags INTERFACE
    BOOST_ASIO_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED BOOST_BEAST_SEPARATE_COMPILATION BOOST_BEAST_USE_STD_STRING_VIEW
    BOOST_ASIO_DISABLE_BOOST_REGEX)
target_include_directories(kit_flags INTERFACE "${CMAKE_SOURCE_DIR}/src")
target_include_directories(kit_flags SYSTEM INTERFACE ${Boost_INCLUDE_DIRS})
target_link_libraries(kit_flags INTERFACE Threads::Threads)

find_program(KIT_MOLD mold)
find_program(KIT_LLD ld.lld-19)
if(CMAKE_INTERPROCEDURAL_OPTIMIZATION)
    # LTO bitcode is clang's: lld reads it whatever mold's version.
    target_link_options(kit_flags INTERFACE -fuse-ld=lld-19)
elseif(KIT_MOLD)
    target_link_options(kit_flags INTERFACE -fuse-ld=mold)
elseif(KIT_LLD)
    target_link_options(kit_flags INTERFACE -fuse-ld=lld-19)
endif()

if(KIT_SANITIZE)
    target_compile_options(kit_flags INTERFACE -fsanitize=${KIT_SANITIZE} -fno-sanitize-recover=all)
    target_link_options(kit_flags INTERFACE -fsanitize=${KIT_SANITIZE})
    target_compile_definitions(kit_flags INTERFACE KIT_SANITIZED)
endif()
if(KIT_FUZZ)
    target_compile_options(kit_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(KIT_COVERAGE)
    target_compile_options(kit_flags INTERFACE -fprofile-instr-generate -fcoverage-mapping)
    target_link_options(kit_flags INTERFACE -fprofile-instr-generate)
endif()
if(KIT_HARDEN)
    target_compile_options(kit_flags INTERFACE
        -D_FORTIFY_SOURCE=2 -D_GLIBCXX_ASSERTIONS -fstack-protector-strong -fstack-clash-protection -fcf-protection
        -ffunction-sections -fdata-sections -fPIE)
    # Few shared libraries: each costs an idle process memory. fmt comes as headers, since Debian has it shared only, and that
    # would bring a second C++ runtime beside the static one.
    target_compile_definitions(kit_flags INTERFACE FMT_HEADER_ONLY=1)
    target_link_options(kit_flags INTERFACE -Wl,--as-needed -static-libstdc++ -static-libgcc -pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--gc-sections)
endif()

# kit_add_library(json SOURCES … LIBS …): the static library kit_<name> of one folder.
function(kit_add_library name)
    cmake_parse_arguments(ARG "" "" "SOURCES;LIBS;PRIVATE_LIBS" ${ARGN})
    add_library(kit_${name} STATIC ${ARG_SOURCES})
    target_link_libraries(kit_${name} PUBLIC kit_flags ${ARG_LIBS} PRIVATE ${ARG_PRIVATE_LIBS})
    if(NOT name STREQUAL "core")
        target_precompile_headers(kit_${name} REUSE_FROM kit_core)
    endif()
endfunction()

# kit_add_module(products): a module's room, src/modules/<name>: its three .cpp suffixes, every sub-feature included.
function(kit_add_module name)
    cmake_parse_arguments(ARG "" "" "LIBS" ${ARGN})
    file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/src/modules/${name}/*.cpp")
    kit_add_library(module_${name} SOURCES ${sources} LIBS kit_core kit_http kit_db kit_json ${ARG_LIBS})
endfunction()

# Test code is compiled without optimisation, which halves its time with sanitizers, over a precompiled header of its own.
function(kit_test_code target)
    if(NOT TARGET kit_test_pch)
        file(WRITE "${CMAKE_BINARY_DIR}/test_pch.cpp" "")
        add_library(kit_test_pch STATIC "${CMAKE_BINARY_DIR}/test_pch.cpp")
        target_link_libraries(kit_test_pch PUBLIC kit_flags GTest::gmock)
        target_compile_options(kit_test_pch PRIVATE -O0)
        target_precompile_headers(kit_test_pch PRIVATE
            "${CMAKE_SOURCE_DIR}/src/platform/core/pch.hpp" <gmock/gmock.h> <gtest/gtest.h>)
    endif()
    target_link_libraries(${target} PUBLIC kit_flags GTest::gmock)
    target_include_directories(${target} PUBLIC "${CMAKE_SOURCE_DIR}/test")
    target_compile_options(${target} PRIVATE -O0)
    target_precompile_headers(${target} REUSE_FROM kit_test_pch)
endfunction()

# kit_add_test(json LABEL unit SOURCES … LIBS …): one GoogleTest binary, one CTest test.
function(kit_add_test name)
    cmake_parse_arguments(ARG "SERIAL" "LABEL;TIMEOUT" "SOURCES;LIBS" ${ARGN})
    set(target test_${ARG_LABEL}_${name})
    add_executable(${target} ${ARG_SOURCES})
    target_link_libraries(${target} PUBLIC kit_core GTest::gmock_main ${ARG_LIBS})
    kit_test_code(${target})
    add_test(NAME ${ARG_LABEL}.${name} COMMAND ${target} WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
    if(NOT ARG_TIMEOUT)
        set(ARG_TIMEOUT 120)
    endif()
    set_tests_properties(${ARG_LABEL}.${name} PROPERTIES LABELS "${ARG_LABEL}" TIMEOUT ${ARG_TIMEOUT}
        ENVIRONMENT "TSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/test/tsan.supp;KIT_BINARY=$<TARGET_FILE:everything-backend>")
    if(ARG_SERIAL)
        set_tests_properties(${ARG_LABEL}.${name} PROPERTIES RUN_SERIAL ON)
    endif()
endfunction()
