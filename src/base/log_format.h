#pragma once

#include <memory>

#include <spdlog/formatter.h>

namespace weir::log {

/// `2026-03-02T08:15:30.042Z warn core: message`: control characters and broken UTF-8 are replaced, so that nothing a
/// client sends can start a line of its own or drive a terminal.
std::unique_ptr<spdlog::formatter> make_text_formatter();

/// `{"time":"…","level":"warn","module":"core","message":"…"}`: always one valid JSON object on one line.
std::unique_ptr<spdlog::formatter> make_json_formatter();

}  // namespace weir::log
