#include <cstdio>
#include <string_view>

#include "scenarios.h"

int main(int argc, char** argv) {
  using namespace weir::bench;
  const std::string_view scenario = argc > 1 ? argv[1] : "--help";
  if (scenario == "--help" || scenario == "-h") {
    std::printf(
        "The load client of weir's benchmarks: one thread, epoll, loopback only. It checks all that it is answered, "
        "and\n"
        "exits with 1 and one line on standard error when anything is not as it must be. Results are JSON "
        "lines.\n\n%s\n%s",
        kPollsHelp, kMixedHelp);
    return 0;
  }
  if (scenario == "polls") {
    run_polls(Options(argc - 2, argv + 2));
  } else if (scenario == "mixed") {
    run_mixed(Options(argc - 2, argv + 2));
  } else {
    fail("unknown scenario \"%s\" (see --help)", argv[1]);
  }
  return 0;
}
