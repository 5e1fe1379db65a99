#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <spdlog/logger.h>

namespace weir::log {

struct Settings {
  std::string level = "info";  ///< trace, debug, info, warn, error or off
  bool json = false;           ///< one JSON object a line instead of text
};

/// Sets up logging to standard error by a background thread: when the reader of our output blocks, lines are dropped
/// (and counted), the server goes on. Call once, before the first logger(); without it, loggers drop everything.
void start(const Settings& settings);
/// Writes out what is queued; loggers stay usable and drop.
void stop();
/// The logger of one module. `key=value` after a fixed phrase; never payloads or tokens. Safe from any thread.
spdlog::logger& logger(std::string_view module);

}  // namespace weir::log
