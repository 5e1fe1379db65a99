// Holds config/weir.toml and docs/configuration.md against the table of keys.
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <string>
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

/// Every value of a configuration, in the order of its members. A new member does not build until it is listed here.
std::vector<std::string> values_of(const Config& config) {
  std::vector<std::string> values;
  const auto add_one = [&values](const auto& value) {
    if constexpr (requires { value.count(); }) {
      values.push_back(std::to_string(value.count()) + " ms");
    } else if constexpr (requires { std::to_string(value); }) {
      values.push_back(std::to_string(value));
    } else {
      values.push_back(value);
    }
  };
  const auto add = [&](const auto&... members) { (add_one(members), ...); };
  const auto& [server, storage, rate_limit, limits, consume, publish, api, log] = config;
  {
    const auto& [a, b, c, d, e, f, g, h, i, j, k] = server;
    add(a, b, c, d, e, f, g, h, i, j, k);
  }
  {
    const auto& [a, b, c, d, e, f, g, h, i, j, k, l, m] = storage;
    add(a, b, c, d, e, f, g, h, i, j, k, l, m);
  }
  {
    const auto& [a, b, c] = rate_limit;
    add(a, b, c);
  }
  {
    const auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s] = limits;
    add(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s);
  }
  {
    const auto& [a] = consume;
    add(a);
  }
  {
    const auto& [a, b] = publish;
    add(a, b);
  }
  {
    const auto& [a, b, c] = api;
    add(a, b, c);
  }
  {
    const auto& [a, b, c] = log;
    add(a, b, c);
  }
  return values;
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
  EXPECT_EQ(values_of(config.value()), values_of(Config{}));
}

TEST(ConfigTable, HasAKeyForEachMemberAndNoOther) {
  EXPECT_EQ(config_keys().size(), values_of(Config{}).size());
  std::set<std::string> names;
  for (const ConfigKey& key : config_keys()) {
    EXPECT_TRUE(names.insert(key.name).second) << key.name;
    EXPECT_FALSE(key.help.empty()) << key.name;
    EXPECT_FALSE(key.bounds.empty()) << key.name;
  }
}

TEST(ConfigTable, EachKeySetsItsOwnMemberAlone) {
  const auto load = [](const std::string& key, const std::string& value) {
    // One thread, so that storage.commit may be inline.
    return load_config({.file = {}, .environment = {}, .flags = {{"server.threads", "1"}, {key, value}}});
  };
  const std::vector<std::string> before = values_of(load("server.threads", "1").value());
  const auto keys = config_keys();
  ASSERT_EQ(keys.size(), before.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    bool set = false;
    for (const char* value : {"2", "3", "5000", "700000", "300MiB", "os", "inline", "debug", "json", "all", "lossless",
                              "reject", "true", "+01:00", "*", "localhost:1"}) {
      const auto config = load(keys[i].name, value);
      if (!config) continue;
      const std::vector<std::string> after = values_of(config.value());
      if (after == before) continue;
      set = true;
      for (std::size_t member = 0; member < after.size(); ++member) {
        EXPECT_EQ(after[member] != before[member], member == i) << keys[i].name << " reached member " << member;
      }
    }
    EXPECT_TRUE(set) << keys[i].name << ": no value of the list suits it";
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
