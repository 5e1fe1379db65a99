// Holds config/weir.toml and docs/configuration.md against the table of keys.
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "weir/base/config.h"

namespace weir {
namespace {

const std::string kExampleFile = std::string(WEIR_SOURCE_DIR) + "/config/weir.toml";
const std::string kDocumentation = std::string(WEIR_SOURCE_DIR) + "/docs/configuration.md";

std::vector<std::string> read_lines(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << path;
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

std::string facts(const ConfigKey& key) {
  return (key.unit.empty() ? "" : "Unit: " + key.unit + ". ") + "Bounds: " + key.bounds +
         ". Default: " + key.default_value + ".";
}

struct Entry {
  std::string name;     ///< "section.key"
  std::string value;    ///< as written
  std::string comment;  ///< what stands above it, without # and line ends
};

/// `# …` is a comment, `#key = value` a key at its default.
std::vector<Entry> example_entries() {
  std::vector<Entry> entries;
  std::string section;
  std::string comment;
  for (const std::string& line : read_lines(kExampleFile)) {
    if (line.starts_with("# ")) {
      comment += (comment.empty() ? "" : " ") + line.substr(2);
    } else if (line.starts_with("[")) {
      EXPECT_TRUE(line.ends_with("]")) << line;
      section = line.substr(1, line.size() - 2);
      comment.clear();
    } else if (line.starts_with("#")) {
      const std::size_t equals = line.find(" = ");
      if (equals == std::string::npos) {
        ADD_FAILURE() << "neither comment nor key: " << line;
        continue;
      }
      entries.push_back({section + "." + line.substr(1, equals - 1), line.substr(equals + 3), comment});
      comment.clear();
    } else {
      EXPECT_EQ(line, "") << "only comments, keys and sections stand in the example";
      comment.clear();
    }
  }
  return entries;
}

/// The example without the # before each key, in a file of its own.
std::string uncommented() {
  std::string text;
  for (const std::string& line : read_lines(kExampleFile)) {
    text += (line.starts_with("#") && !line.starts_with("# ") ? line.substr(1) : line) + "\n";
  }
  return text;
}

TEST(ExampleFile, NamesEveryKeyInOrderWithItsHelpDefaultUnitAndBounds) {
  const std::vector<Entry> entries = example_entries();
  const auto keys = config_keys();
  ASSERT_EQ(entries.size(), keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    EXPECT_EQ(entries[i].name, keys[i].name);
    EXPECT_EQ(entries[i].value, keys[i].default_value) << keys[i].name;
    EXPECT_EQ(entries[i].comment, keys[i].help + " " + facts(keys[i])) << keys[i].name;
  }
}

TEST(ExampleFile, LoadsToTheDefaultsAsItIs) {
  const auto config = load_config({.file = kExampleFile, .environment = {}, .flags = {}});
  EXPECT_TRUE(config) << config.error().fields.at(0).field << ": " << config.error().fields.at(0).message;
}

/// Every value of a configuration, by way of the lines that would be wrong if one differed.
void expect_defaults(const Config& config) {
  const Config defaults;
  const auto& [server, storage, rate_limit, limits, consume, publish, api, log] = config;
  {
    const auto& [a, b, c, d, e, f, g, h, i, j, k] = server;
    const auto& s = defaults.server;
    EXPECT_EQ(std::tie(a, b, c, d, e, f, g, h, i, j, k),
              std::tie(s.listen, s.threads, s.connections_max, s.head_timeout, s.body_timeout,
                       s.body_bytes_per_second_min, s.idle_timeout, s.send_timeout, s.drain_timeout,
                       s.body_bytes_inflight_max, s.response_bytes_inflight_max));
  }
  {
    const auto& [a, b, c, d, e, f, g, h, i, j, k, l, m] = storage;
    const auto& s = defaults.storage;
    EXPECT_EQ(std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m),
              std::tie(s.data_dir, s.durability, s.commit, s.queue_bytes_max, s.queue_appends_max, s.commit_bytes_max,
                       s.reader_threads, s.block_cache_bytes, s.memtable_bytes, s.tail_bytes_max, s.free_bytes_min,
                       s.reclaim_interval, s.reclaim_compact_bytes));
  }
  {
    const auto& [a, b, c] = rate_limit;
    const auto& s = defaults.rate_limit;
    EXPECT_EQ(std::tie(a, b, c), std::tie(s.management_per_minute, s.legacy_per_minute, s.public_per_minute));
  }
  {
    const auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r] = limits;
    const auto& s = defaults.limits;
    EXPECT_EQ(
        std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r),
        std::tie(s.consume_messages_max, s.batch_messages_max, s.poll_timeout_secs_max, s.retention_seconds_default,
                 s.retention_seconds_max, s.topics_per_workspace, s.message_bytes_max, s.management_body_bytes_max,
                 s.batch_body_bytes_max, s.consume_response_bytes_max, s.header_bytes_max, s.header_fields_max,
                 s.target_bytes_max, s.json_depth_max, s.schema_bytes_max, s.topic_name_characters_max,
                 s.description_bytes_max, s.polls_waiting_max));
  }
  EXPECT_EQ(consume.cursor_policy, defaults.consume.cursor_policy);
  EXPECT_EQ(std::tie(publish.unknown_fields, publish.idempotency_window),
            std::tie(defaults.publish.unknown_fields, defaults.publish.idempotency_window));
  EXPECT_EQ(std::tie(api.time_zone, api.lenient_numbers, api.cors_origin),
            std::tie(defaults.api.time_zone, defaults.api.lenient_numbers, defaults.api.cors_origin));
  EXPECT_EQ(std::tie(log.level, log.format, log.access),
            std::tie(defaults.log.level, defaults.log.format, defaults.log.access));
}

TEST(ExampleFile, LoadsToTheDefaultsWithEveryKeyUncommented) {
  char name[] = "/tmp/weir-example-XXXXXX";
  const int fd = ::mkstemp(name);
  ASSERT_GE(fd, 0);
  ::close(fd);
  std::ofstream(name) << uncommented();
  const auto config = load_config({.file = name, .environment = {}, .flags = {}});
  ::unlink(name);
  ASSERT_TRUE(config) << config.error().fields.at(0).field << ": " << config.error().fields.at(0).message;
  expect_defaults(config.value());
}

TEST(ConfigTable, HasAKeyForEveryMemberAndEachKeySetsItsOwn) {
  // The structured bindings above count the members; each key must reach one that no other key reaches.
  EXPECT_EQ(config_keys().size(), 11u + 13u + 3u + 18u + 1u + 2u + 3u + 3u);
  std::set<std::string> names;
  for (const ConfigKey& key : config_keys()) {
    EXPECT_TRUE(names.insert(key.name).second) << key.name;
    EXPECT_FALSE(key.help.empty()) << key.name;
    EXPECT_FALSE(key.bounds.empty()) << key.name;
  }
}

/// `| cell | cell |` without the outer bars; \| is a bar within a cell.
std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells(1);
  for (std::size_t i = 1; i < line.size(); ++i) {
    if (line[i] == '\\' && i + 1 < line.size() && line[i + 1] == '|') {
      cells.back() += line[++i];
    } else if (line[i] == '|') {
      cells.emplace_back();
    } else {
      cells.back() += line[i];
    }
  }
  cells.pop_back();
  for (std::string& cell : cells) {
    while (cell.starts_with(' ')) cell.erase(0, 1);
    while (cell.ends_with(' ')) cell.pop_back();
  }
  return cells;
}

TEST(ConfigurationPage, NamesEveryKeyWithItsDefaultUnitAndBounds) {
  std::map<std::string, std::vector<std::string>> rows;
  for (const std::string& line : read_lines(kDocumentation)) {
    if (!line.starts_with("| `")) continue;
    const std::vector<std::string> cells = cells_of(line);
    ASSERT_EQ(cells.size(), 5u) << line;
    EXPECT_TRUE(rows.emplace(cells[0], cells).second) << "twice: " << line;
  }
  EXPECT_EQ(rows.size(), config_keys().size());
  for (const ConfigKey& key : config_keys()) {
    const auto found = rows.find("`" + key.name + "`");
    ASSERT_NE(found, rows.end()) << key.name;
    EXPECT_EQ(found->second, (std::vector<std::string>{"`" + key.name + "`", "`" + key.default_value + "`", key.unit,
                                                       key.bounds, key.help}));
  }
}

}  // namespace
}  // namespace weir
