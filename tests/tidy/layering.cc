#include "layering.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <regex>
#include <set>

namespace weir::tidy {
namespace {

/// Who may include whom, besides oneself. What is not named here (src/app) may include every module.
const std::map<std::string, std::set<std::string>> kMayInclude = {
    {"base", {}},
    {"model", {"base"}},
    {"storage", {"base", "model"}},
    {"storage_rocksdb", {"base", "model", "storage"}},
    {"core", {"base", "model", "storage"}},
    {"http", {"base"}},
    {"api", {"base", "model", "core", "http"}},
    {"console", {"base", "model", "core", "http"}},
    {"delivery", {"base", "model", "storage", "core"}},
    {"app", {"base", "model", "storage", "storage_rocksdb", "core", "http", "api", "console", "delivery"}},
};

/// A library that only some files may see.
enum class Headers { any, not_public, none };
struct LibraryRule {
  std::string includes;              ///< how the include begins
  std::vector<std::string> folders;  ///< who may; empty: everybody
  Headers headers;                   ///< and in which headers
  std::string reason;
};
const std::vector<LibraryRule> kLibraries = {
    {"rocksdb/", {"src/storage_rocksdb/"}, Headers::not_public, "only the store of that name knows RocksDB"},
    {"boost/beast", {"src/http/", "src/app/"}, Headers::not_public, "only the HTTP module and the wiring see Beast"},
    {"boost/asio", {"src/app/"}, Headers::not_public, "only the client of the command line sees Asio (adr/0009)"},
    {"simdjson", {}, Headers::not_public, "a JSON library in a public header is compiled by everybody"},
    {"nlohmann/json.hpp", {}, Headers::not_public, "a JSON library in a public header is compiled by everybody"},
    {"CLI/", {"src/app/"}, Headers::none, "only the command line knows CLI11, which is slow to compile"},
    {"toml++/", {"src/base/"}, Headers::none, "only the configuration knows TOML"},
};

/// Where a file belongs: "src/api/workato/consume.cc" is {api, workato, private}.
struct Place {
  std::string module;
  std::string door;  ///< only in api
  bool is_public = false;
};

Place place_of_relative(std::string path, bool is_public) {
  const std::size_t slash = path.find('/');
  if (slash == std::string::npos) return {};
  Place place{path.substr(0, slash), {}, is_public};
  if (place.module == "api") {
    const std::size_t second = path.find('/', slash + 1);
    if (second != std::string::npos) place.door = path.substr(slash + 1, second - slash - 1);
  }
  return place;
}

Place place_of(const std::string& path) {
  if (is_under(path, "include/weir/")) return place_of_relative(path.substr(13), true);
  if (is_under(path, "src/")) return place_of_relative(path.substr(4), false);
  return {};
}

/// What `#include "…"` in `from` means; an empty module: not a file of ours, or one beside it.
Place included_place(const std::string& from, const std::string& include) {
  if (is_under(include, "weir/")) return place_of_relative(include.substr(5), true);
  const Place rooted = place_of_relative(include, false);
  if (kMayInclude.contains(rooted.module)) return rooted;
  const auto beside = std::filesystem::path(from).parent_path() / include;
  return place_of(beside.lexically_normal().generic_string());
}

void check_own_include(const SourceFile& file, std::size_t line, const std::string& include, Findings& findings) {
  const Place from = place_of(file.path);
  const Place to = included_place(file.path, include);
  if (to.module.empty()) return;
  const auto report = [&](const std::string& why) {
    findings.push_back({file.path, line, "includes \"" + include + "\": " + why});
  };
  if (!kMayInclude.contains(to.module)) return report("there is no module " + to.module);
  if (from.module != to.module) {
    const auto allowed = kMayInclude.find(from.module);
    if (allowed == kMayInclude.end()) return report("module " + from.module + " is not in the table of layers");
    if (!allowed->second.contains(to.module)) return report(from.module + " may not include " + to.module);
    if (!to.is_public && from.module != "app") return report("a private header of another module");
  }
  if (from.is_public && !to.is_public) return report("a public header includes a private one");
  if (!from.door.empty() && !to.door.empty() && from.door != to.door) return report("a door includes another door");
}

void check_library_include(const SourceFile& file, std::size_t line, const std::string& include, Findings& findings) {
  for (const LibraryRule& rule : kLibraries) {
    if (!is_under(include, rule.includes)) continue;
    const bool known_folder =
        rule.folders.empty() ||
        std::any_of(rule.folders.begin(), rule.folders.end(), [&](const auto& f) { return is_under(file.path, f); });
    const bool bad_header =
        is_header(file.path) &&
        (rule.headers == Headers::none || (rule.headers == Headers::not_public && is_under(file.path, "include/")));
    if (!known_folder || bad_header) {
      findings.push_back({file.path, line, "includes <" + include + ">: " + rule.reason});
    }
  }
}

}  // namespace

Findings check_layering(const SourceTree& tree) {
  static const std::regex include_line(R"(^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">])", std::regex::multiline);
  Findings findings;
  for (const SourceFile& file : tree) {
    if (!is_cpp(file.path)) continue;
    if (is_header(file.path) && file.text.find("#pragma once") == std::string::npos) {
      findings.push_back({file.path, 1, "a header without #pragma once"});
    }
    if (!is_under(file.path, "include/weir/") && !is_under(file.path, "src/")) continue;  // tests may look anywhere
    for (auto it = std::sregex_iterator(file.text.begin(), file.text.end(), include_line); it != std::sregex_iterator();
         ++it) {
      const std::size_t line = line_of(file.text, static_cast<std::size_t>(it->position(1)));
      const std::string include = it->str(2);
      if (it->str(1) == "\"") {
        check_own_include(file, line, include, findings);
      }
      check_library_include(file, line, include, findings);
    }
  }
  return findings;
}

}  // namespace weir::tidy
