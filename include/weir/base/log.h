#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <spdlog/logger.h>

namespace weir::log {

struct Settings {
  std::string level = "info";  ///< trace, debug, info, warn, error or off
  bool json = false;           ///< one JSON object a line instead of text
};

/// Sets up logging to standard error by a background thread: when the reader of our output blocks, lines are dropped
/// (the oldest first, and counted), the server goes on. Loggers drop everything before start() and after stop().
/// start() and stop() are for one thread; starting again is stop() and start().
void start(const Settings& settings);
/// Writes out what is queued, for at most about two seconds if the reader does not read. Idempotent.
void stop();
/// The logger of one module. `key=value` after a fixed phrase; never payloads or tokens. Safe from any thread. The
/// reference stays valid for the life of the process; keep it, the look-up takes a lock.
spdlog::logger& logger(std::string_view module);
/// Lines lost since the process began because nobody read them. Safe from any thread.
std::uint64_t dropped_lines();

}  // namespace weir::log
