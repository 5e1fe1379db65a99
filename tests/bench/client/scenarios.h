#pragma once

#include "support.h"

namespace weir::bench {

/// Parks many long polls, then wakes them all. kPollsHelp says how it is used.
void run_polls(Options options);
extern const char* const kPollsHelp;

/// Publishers, tailing consumers and idle polls of a weir at the same time. kMixedHelp says how it is used.
void run_mixed(Options options);
extern const char* const kMixedHelp;

}  // namespace weir::bench
