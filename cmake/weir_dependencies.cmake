# All from the distribution's packages; scripts/lib/setup.sh installs them.
find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(OpenSSL 3 REQUIRED)
find_package(spdlog REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(simdjson REQUIRED)
find_package(CLI11 REQUIRED)
find_package(RocksDB REQUIRED)
# Static where nothing speaks against it: calls inside the store then need no jump table, which is 4 % of a publish's
# instructions, and the binary is easier to carry. The thread sanitizer's suppressions name the shared library.
if(TARGET RocksDB::rocksdb AND NOT WEIR_SANITIZER)
  set(WEIR_ROCKSDB RocksDB::rocksdb)
else()
  set(WEIR_ROCKSDB RocksDB::rocksdb-shared)
endif()
find_package(tomlplusplus REQUIRED)
if(WEIR_TESTS)
  find_package(GTest REQUIRED)
  include(GoogleTest)
endif()

# Boost is used through its headers only.
add_library(weir_boost INTERFACE)
target_include_directories(weir_boost SYSTEM INTERFACE ${Boost_INCLUDE_DIRS})
target_compile_definitions(weir_boost INTERFACE BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_DATE_TIME)
target_link_libraries(weir_boost INTERFACE Threads::Threads)
