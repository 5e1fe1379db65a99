#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <exception>
#include <fstream>
#include <optional>
#include <set>
#include <utility>

#include <toml++/toml.h>

#include "config_table.h"

namespace weir {
namespace {

using config::quoted;
using config::Row;

/// More is not a configuration but a mistake in the path.
constexpr std::size_t kFileBytesMax = 1 << 20;

std::string_view section_of(std::string_view key) {
  return key.substr(0, key.find('.'));
}
std::string_view member_of(std::string_view key) {
  return key.substr(key.find('.') + 1);
}

/// server.listen → WEIR_SERVER__LISTEN
std::string environment_name(std::string_view key) {
  std::string name = "WEIR_";
  for (const char c : key) {
    if (c == '.') {
      name += "__";
    } else {
      name += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    }
  }
  return name;
}

const Row* find_row(std::string_view key) {
  const auto rows = config::table();
  const auto found = std::ranges::find(rows, key, &Row::name);
  return found == rows.end() ? nullptr : &*found;
}

bool is_section(std::string_view name) {
  return std::ranges::any_of(config::table(), [name](const Row& row) { return section_of(row.name) == name; });
}

/// Letters to insert, remove or change to make one of the other.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({changed, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

/// The key that was probably meant, if any comes near.
const Row* nearest_row(std::string_view key) {
  if (key.size() > 100) return nullptr;
  for (const Row& row : config::table()) {
    if (member_of(row.name) == member_of(key)) return &row;                     // the right name in the wrong section
    if (row.name.starts_with(key) && row.name[key.size()] == '_') return &row;  // its unit was left out
  }
  const Row* best = nullptr;
  std::size_t best_distance = key.size() / 4 + 1;
  for (const Row& row : config::table()) {
    const std::size_t distance = edit_distance(key, row.name);
    if (distance < best_distance) {
      best_distance = distance;
      best = &row;
    }
  }
  return best;
}

struct Mistake {
  std::size_t line = 0;  ///< in the file; 0: not from there
  FieldError error;
};

class Loader {
 public:
  void read_file(const std::string& path);
  void read_environment(const std::vector<std::string>& environment);
  void read_flags(const std::vector<std::pair<std::string, std::string>>& flags);
  Result<Config> finish();

 private:
  void read_section(const std::string& path, std::string_view section, const toml::table& members);
  void assign(const Row& row, std::string_view text, const std::string& where, std::size_t line = 0);
  void mistake(std::string field, std::string message, std::size_t line = 0) {
    mistakes_.push_back({line, {std::move(field), std::move(message)}});
  }
  /// Notes a mistake unless the condition holds or one of the keys has been reported already.
  void require(bool holds, std::string_view key, std::string_view other_key, std::string message);

  Config config_;
  std::vector<Mistake> mistakes_;
  std::set<std::string_view> bad_keys_;
};

std::string at_key(std::string_view key, const std::string& where) {
  return std::string(key) + " (" + where + ")";
}

std::string at_line(const std::string& path, std::size_t line) {
  return path + ":" + std::to_string(line);
}

void Loader::assign(const Row& row, std::string_view text, const std::string& where, std::size_t line) {
  if (auto problem = config::assign(row, text, config_)) {
    bad_keys_.insert(row.name);
    mistake(at_key(row.name, where), std::move(*problem), line);
  }
}

/// The text of a TOML value as assign() takes it, or empty when the value's type does not suit the key.
std::optional<std::string> text_of(const Row& row, const toml::node& node) {
  const bool is_text = std::holds_alternative<config::Text>(row.kind);
  const bool is_boolean = std::holds_alternative<config::Boolean>(row.kind);
  if (const auto* value = node.as_string()) {
    if (is_boolean) return std::nullopt;
    return value->get();
  }
  if (const auto* value = node.as_boolean()) {
    if (!is_boolean) return std::nullopt;
    return value->get() ? "true" : "false";
  }
  if (is_text || is_boolean) return std::nullopt;
  if (const auto* value = node.as_integer()) return std::to_string(value->get());
  const auto* value = node.as_floating_point();
  if (value == nullptr || std::get<config::Number>(row.kind).notation != config::Notation::seconds) return std::nullopt;
  char digits[400];  // more than the longest double without an exponent
  const auto written = std::to_chars(digits, digits + sizeof(digits), value->get(), std::chars_format::fixed);
  return std::string(digits, written.ptr);
}

std::string_view type_name(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table: return "a table";
    case toml::node_type::array: return "an array";
    case toml::node_type::string: return "a string";
    case toml::node_type::integer: return "an integer";
    case toml::node_type::floating_point: return "a decimal number";
    case toml::node_type::boolean: return "a boolean";
    case toml::node_type::date:
    case toml::node_type::time:
    case toml::node_type::date_time: return "a date or time";
    case toml::node_type::none: break;
  }
  return "nothing";
}

std::string_view wanted_type(const Row& row) {
  if (std::holds_alternative<config::Text>(row.kind)) return "a string";
  if (std::holds_alternative<config::Boolean>(row.kind)) return "true or false";
  return "a number";
}

std::string unknown_key(const Row* nearest) {
  return nearest == nullptr ? "no such key" : "no such key; did you mean " + std::string(nearest->name) + "?";
}

void Loader::read_section(const std::string& path, std::string_view section, const toml::table& members) {
  for (const auto& [member, node] : members) {
    const std::string key = std::string(section) + '.' + std::string(member.str());
    const std::size_t line = member.source().begin.line;
    const std::string where = at_line(path, line);
    const Row* const row = find_row(key);
    if (row == nullptr) {
      mistake(at_key(key, where), unknown_key(nearest_row(key)), line);
    } else if (const auto text = text_of(*row, node)) {
      assign(*row, *text, where, line);
    } else {
      bad_keys_.insert(row->name);
      std::string message = "must be ";
      message.append(wanted_type(*row)).append(" (").append(config::bounds_text(*row)).append("), not ");
      mistake(at_key(key, where), message.append(type_name(node)), line);
    }
  }
}

void Loader::read_file(const std::string& path) {
  std::string text;
  {
    errno = 0;
    std::ifstream file(path, std::ios::binary);
    if (file) {
      text.resize(kFileBytesMax + 1);
      file.read(text.data(), static_cast<std::streamsize>(text.size()));
      text.resize(static_cast<std::size_t>(file.gcount()));
    }
    if (!file.is_open() || file.bad() || (file.fail() && !file.eof())) {
      const int reason = errno;
      mistake(path, std::string("cannot be read: ") + (reason != 0 ? std::strerror(reason) : "unknown reason"));
      return;
    }
  }
  if (text.size() > kFileBytesMax) {
    mistake(path, "is larger than 1MiB; this is not a configuration file");
    return;
  }
  toml::table sections;
  try {
    sections = toml::parse(text, path);
  } catch (const toml::parse_error& error) {
    const auto position = error.source().begin;
    mistake(at_line(path, position.line) + ":" + std::to_string(position.column), std::string(error.description()),
            position.line);
    return;
  } catch (const std::exception& error) {
    mistake(path, std::string("cannot be read: ") + error.what());
    return;
  }
  for (const auto& [name, node] : sections) {
    const std::size_t line = name.source().begin.line;
    const toml::table* const members = node.as_table();
    if (members != nullptr && is_section(name.str())) {
      read_section(path, name.str(), *members);
    } else if (is_section(name.str())) {
      mistake(at_key(name.str(), at_line(path, line)), "must be a section, [" + std::string(name.str()) + "]", line);
    } else if (members != nullptr) {
      const Row* nearest = nullptr;
      std::size_t best_distance = 4;
      for (const Row& row : config::table()) {
        const std::size_t distance = edit_distance(std::string_view(name.str()).substr(0, 100), section_of(row.name));
        if (distance < best_distance) {
          best_distance = distance;
          nearest = &row;
        }
      }
      mistake(at_key(name.str(), at_line(path, line)),
              nearest == nullptr ? "no such section"
                                 : "no such section; did you mean " + std::string(section_of(nearest->name)) + "?",
              line);
    } else {
      // A key above the first section: its name alone often says which one was meant.
      mistake(at_key(name.str(), at_line(path, line)), unknown_key(nearest_row(name.str())), line);
    }
  }
  std::ranges::stable_sort(mistakes_, {}, &Mistake::line);  // the parser hands out tables by name
}

void Loader::read_environment(const std::vector<std::string>& environment) {
  for (const std::string& pair : environment) {
    const std::size_t equals = pair.find('=');
    if (equals == std::string::npos) continue;
    const std::string name = pair.substr(0, equals);
    if (!name.starts_with("WEIR_") || name.find("__") == std::string::npos) continue;
    const Row* found = nullptr;
    const Row* nearest = nullptr;
    std::size_t best_distance = name.size() / 4 + 1;
    for (const Row& row : config::table()) {
      const std::string expected = environment_name(row.name);
      if (expected == name) found = &row;
      if (name.size() > 100) continue;
      const std::size_t distance = expected.starts_with(name + "_") ? 0 : edit_distance(name, expected);
      if (distance < best_distance) {
        best_distance = distance;
        nearest = &row;
      }
    }
    if (found != nullptr) {
      assign(*found, std::string_view(pair).substr(equals + 1), name);
    } else if (nearest != nullptr) {
      mistake(name, "no such key; did you mean " + environment_name(nearest->name) + "?");
    } else {
      mistake(name, "no such key");
    }
  }
}

void Loader::read_flags(const std::vector<std::pair<std::string, std::string>>& flags) {
  for (const auto& [key, value] : flags) {
    if (const Row* const row = find_row(key)) {
      assign(*row, value, "flag");
    } else {
      mistake(at_key(key, "flag"), unknown_key(nearest_row(key)));
    }
  }
}

void Loader::require(bool holds, std::string_view key, std::string_view other_key, std::string message) {
  if (holds || bad_keys_.contains(key) || bad_keys_.contains(other_key)) return;
  mistake(std::string(key), std::move(message));
}

Result<Config> Loader::finish() {
  const auto at_most = [this](std::uint64_t value, std::string_view key, std::uint64_t limit, std::string_view other) {
    require(value <= limit, key, other, "must not be above " + std::string(other));
  };
  const auto& [server, storage, rate_limit, limits, consume, publish, api, log] = config_;
  require(storage.commit != "inline" || server.threads == 1, "storage.commit", "server.threads",
          "inline needs server.threads = 1");
  at_most(limits.retention_seconds_default, "limits.retention_seconds_default", limits.retention_seconds_max,
          "limits.retention_seconds_max");
  // Otherwise what one limit allows could never be done: each try would be answered "later".
  at_most(limits.message_bytes_max, "limits.message_bytes_max", storage.queue_bytes_max, "storage.queue_bytes_max");
  at_most(limits.message_bytes_max, "limits.message_bytes_max", server.body_bytes_inflight_max,
          "server.body_bytes_inflight_max");
  at_most(limits.management_body_bytes_max, "limits.management_body_bytes_max", server.body_bytes_inflight_max,
          "server.body_bytes_inflight_max");
  at_most(limits.batch_body_bytes_max, "limits.batch_body_bytes_max", server.body_bytes_inflight_max,
          "server.body_bytes_inflight_max");
  at_most(limits.consume_response_bytes_max, "limits.consume_response_bytes_max", server.response_bytes_inflight_max,
          "server.response_bytes_inflight_max");
  at_most(storage.commit_bytes_max, "storage.commit_bytes_max", storage.queue_bytes_max, "storage.queue_bytes_max");
  if (mistakes_.empty()) return std::move(config_);
  Error error = make_error(Errc::config_invalid, mistakes_.size() == 1 ? "the configuration has a mistake"
                                                                       : "the configuration has mistakes");
  for (Mistake& found : mistakes_) error.fields.push_back(std::move(found.error));
  return error;
}

}  // namespace

std::span<const ConfigKey> config_keys() {
  static const std::vector<ConfigKey> keys = [] {
    std::vector<ConfigKey> made;
    for (const Row& row : config::table()) {
      made.push_back({std::string(row.name), config::default_text(row), std::string(row.unit), config::bounds_text(row),
                      std::string(row.help)});
    }
    return made;
  }();
  return keys;
}

Result<Config> load_config(const ConfigSources& sources) {
  Loader loader;
  if (sources.file) loader.read_file(*sources.file);
  loader.read_environment(sources.environment);
  loader.read_flags(sources.flags);
  return loader.finish();
}

}  // namespace weir
