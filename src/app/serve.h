#pragma once

#include <optional>
#include <string>

#include "weir/base/config.h"

namespace weir::app {

/// Exit codes of every command (docs/configuration.md).
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;         ///< the data folder, the server or the disk said no
inline constexpr int kExitMisconfigured = 2;  ///< command line, configuration or listen address; nothing was started

/// Runs the server until SIGTERM or SIGINT. `admin_token`: the value of WEIR_ADMIN_TOKEN, if set.
int serve(const Config& config, std::optional<std::string> admin_token);

/// Says on standard error what `load_config` refused.
void print_mistakes(const Error& error);

}  // namespace weir::app
