#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weir/base/result.h"

namespace weir {

/// Everything that can be set, read once at start and passed as const&. Defaults, bounds and help stand in one table
/// (config_keys()); config/weir.toml and docs/configuration.md are tested against it.
struct Config {
  struct Server {
    std::string listen = "127.0.0.1:8080";
    std::uint32_t threads =
        0;  ///< 0: one for each core but one (the commit thread and the store's merges need it), at least 1
    std::uint32_t connections_max = 100'000;
    std::chrono::milliseconds head_timeout{10'000};
    std::chrono::milliseconds body_timeout{30'000};
    std::uint32_t body_bytes_per_second_min = 1024;
    std::chrono::milliseconds idle_timeout{75'000};
    std::chrono::milliseconds send_timeout{30'000};
    std::chrono::milliseconds drain_timeout{10'000};
    std::uint64_t body_bytes_inflight_max = 256 << 20;
    std::uint64_t response_bytes_inflight_max = 512 << 20;
  } server;
  struct Storage {
    std::string data_dir = "./data";
    std::string durability = "fsync";  ///< fsync | os
    std::string commit = "thread";     ///< thread | inline (server.threads = 1 only)
    std::uint64_t queue_bytes_max = 128 << 20;
    std::uint32_t queue_appends_max = 100'000;
    std::uint64_t commit_bytes_max = 1 << 20;
    std::uint32_t reader_threads = 2;
    std::uint64_t block_cache_bytes = 128 << 20;
    std::uint64_t memtable_bytes = 64 << 20;
    std::uint64_t tail_bytes_max = 64 << 20;
    std::uint64_t free_bytes_min = 64 << 20;
    std::chrono::milliseconds reclaim_interval{60'000};
    std::uint64_t reclaim_compact_bytes = 32 << 20;
  } storage;
  struct RateLimit {
    std::uint32_t management_per_minute = 60;  ///< 0: unlimited, as for the next two
    std::uint32_t legacy_per_minute = 1000;
    std::uint32_t public_per_minute = 0;
  } rate_limit;
  struct Limits {
    std::uint32_t consume_messages_max = 50;
    std::uint32_t batch_messages_max = 100;
    std::uint32_t poll_timeout_secs_max = 60;
    std::uint32_t retention_seconds_default = 604'800;
    std::uint32_t retention_seconds_max = 7'776'000;
    std::uint32_t topics_per_workspace = 0;  ///< 0: unlimited
    std::uint64_t message_bytes_max = 1'048'576;
    std::uint64_t management_body_bytes_max = 1'048'576;
    std::uint64_t batch_body_bytes_max = 106'954'752;  ///< 102 MiB: 100 x 1 MiB and the wrapping
    std::uint64_t consume_response_bytes_max = 52'428'800;
    std::uint32_t header_bytes_max = 16'384;
    std::uint32_t header_fields_max = 100;
    std::uint32_t target_bytes_max = 8'192;
    std::uint32_t json_depth_max = 64;
    std::uint32_t schema_bytes_max = 262'144;
    std::uint32_t topic_name_characters_max = 255;
    std::uint32_t description_bytes_max = 65'536;
    std::uint32_t polls_waiting_max = 1'000'000;
    std::uint32_t tokens_max = 10'000;
  } limits;
  struct Consume {
    std::string cursor_policy = "strict";  ///< strict | lossless | earliest
  } consume;
  struct Publish {
    std::string unknown_fields = "keep";  ///< keep | reject
    std::chrono::milliseconds idempotency_window{24 * 3600 * 1000};
  } publish;
  struct Api {
    std::string time_zone = "+00:00";  ///< offset in which topics show created_at and updated_at
    bool lenient_numbers = false;      ///< "5" counts as 5 in consume parameters
    std::string cors_origin;           ///< empty: no CORS headers; else the allowed origin or "*"
  } api;
  struct Log {
    std::string level = "info";     ///< trace | debug | info | warn | error | off
    std::string format = "text";    ///< text | json
    std::string access = "errors";  ///< off | errors | all
  } log;
};

/// One row of the table.
struct ConfigKey {
  std::string name;           ///< "section.key"
  std::string default_value;  ///< as it would be written in the file
  std::string unit;           ///< "bytes", "seconds", "requests per minute", … or empty
  std::string bounds;         ///< "1 to 50", "fsync | os", …
  std::string help;
};
/// Every key, in the order of the file: named as the members above, save that durations are decimal seconds ("0.5" is
/// half a second, at most three decimals) and their keys end in _seconds. Sizes are bytes or "64MiB". Thread-safe.
std::span<const ConfigKey> config_keys();

/// What overrides what: file < environment < flags.
struct ConfigSources {
  std::optional<std::string> file;  ///< path; must exist if given
  /// NAME=value pairs as in environ; only WEIR_SECTION__KEY names count (unknown ones of that form are mistakes; other
  /// WEIR_ names are not ours).
  std::vector<std::string> environment;
  std::vector<std::pair<std::string, std::string>> flags;  ///< "section.key", value
};

/// The configuration, or every mistake at once: config_invalid, `fields` one entry each. field: the key and where it
/// stands, "server.threads (weir.toml:12)", "log.level (WEIR_LOG__LEVEL)", "log.level (flag)"; message: what is wrong
/// and what is allowed. A later flag for the same key wins. Blocks (reads the file). Thread-safe.
Result<Config> load_config(const ConfigSources& sources);

}  // namespace weir
