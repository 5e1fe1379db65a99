# weir_module(core
#   SOURCES topic_log.cc ...          files of src/core
#   TESTS   topic_log_test.cc ...     files of tests/unit/core
#   DEPS    weir::base ...            modules and libraries that its headers show
#   PRIVATE_DEPS RocksDB::...         libraries that only its .cc files see
#   TEST_DEPS weir::memory_store ...  what only its tests need)
# makes weir_core, its alias weir::core, and weir_core_test.
function(weir_module name)
  cmake_parse_arguments(ARG "" "" "SOURCES;TESTS;DEPS;PRIVATE_DEPS;TEST_DEPS" ${ARGN})
  add_library(weir_${name} STATIC ${ARG_SOURCES})
  add_library(weir::${name} ALIAS weir_${name})
  target_include_directories(weir_${name} PUBLIC ${CMAKE_SOURCE_DIR}/include PRIVATE ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(weir_${name} PUBLIC ${ARG_DEPS} PRIVATE ${ARG_PRIVATE_DEPS})
  if(WEIR_TESTS AND ARG_TESTS)
    list(TRANSFORM ARG_TESTS PREPEND ${CMAKE_SOURCE_DIR}/tests/unit/${name}/)
    weir_test(weir_${name}_test LABEL unit SOURCES ${ARG_TESTS} DEPS weir_${name} ${ARG_PRIVATE_DEPS} ${ARG_TEST_DEPS})
  endif()
endfunction()

# weir_test(NAME LABEL unit|integration|fault|simulation|tidy|slow SOURCES ... DEPS ... [TIMEOUT seconds] [ENV A=b ...]
#           [SERIAL])
# SERIAL: no other test runs beside it (it measures, or needs most of the machine).
# In a sanitizer build `fault` and `tidy` are left out (they kill processes or read sources: nothing for a sanitizer to
# see) and every timeout is three times as long.
function(weir_test name)
  cmake_parse_arguments(ARG "SERIAL" "LABEL;TIMEOUT" "SOURCES;DEPS;ENV" ${ARGN})
  if(WEIR_SANITIZER AND ARG_LABEL MATCHES "^(fault|tidy)$")
    return()
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  if(WEIR_SANITIZER)
    math(EXPR ARG_TIMEOUT "${ARG_TIMEOUT} * 3")
    list(APPEND ARG_ENV ${WEIR_SANITIZER_ENV})
  endif()
  set(properties LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT})
  if(ARG_SERIAL)
    list(APPEND properties RUN_SERIAL TRUE)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/tests)
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} GTest::gtest GTest::gtest_main)
  # Test code is compiled for speed of compiling: it is most of what there is, and optimizing or instrumenting it takes as
  # long again. Not where the test itself does the work (simulation), or shares memory with what it tests (sanitizers).
  if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo" AND ARG_LABEL MATCHES "^(unit|integration|fault|tidy)$")
    target_compile_options(${name} PRIVATE -O0)
  elseif(WEIR_SANITIZER AND ARG_LABEL STREQUAL "integration")  # the server, in its own process, is instrumented
    target_compile_options(${name} PRIVATE -O0 -fno-sanitize=all)
  endif()
  gtest_discover_tests(${name}
    TEST_PREFIX "${WEIR_TEST_PREFIX}"
    NO_PRETTY_VALUES  # the name of a row is enough; values can be addresses and bytes
    DISCOVERY_TIMEOUT 60
    PROPERTIES ${properties})
  if(ARG_ENV)  # a list does not survive gtest_discover_tests; ctest reads this file after the discovered tests
    set(environment_file ${CMAKE_CURRENT_BINARY_DIR}/${name}_environment.cmake)
    file(GENERATE OUTPUT ${environment_file} CONTENT
         "if(${name}_TESTS)\n  set_tests_properties(\${${name}_TESTS} PROPERTIES ENVIRONMENT \"${ARG_ENV}\")\nendif()\n")
    set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${environment_file})
  endif()
endfunction()
