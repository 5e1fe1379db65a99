#include "house_rules.h"

#include <algorithm>
#include <regex>
#include <set>
#include <string>
#include <string_view>

namespace weir::tidy {
namespace {

/// Tests that sleep, and why they must.
const std::set<std::string, std::less<>> kSleepers = {};

/// These hold bad examples on purpose.
bool is_rule_itself(std::string_view path) {
  return is_under(path, "tests/tidy/");
}

bool is_ours(std::string_view path) {
  return is_under(path, "include/") || is_under(path, "src/") || is_under(path, "tests/");
}

/// Reports every match of `pattern` in `text`, at its first group if it has one.
void find_all(const SourceFile& file, const std::string& text, const std::regex& pattern, const char* problem,
              Findings& findings) {
  for (auto it = std::sregex_iterator(text.begin(), text.end(), pattern); it != std::sregex_iterator(); ++it) {
    findings.push_back(
        {file.path, line_of(text, static_cast<std::size_t>(it->position(it->size() > 1 ? 1 : 0))), problem});
  }
}

/// The position behind the bracket that closes the one at `open`, or the end.
std::size_t behind_closing(const std::string& code, std::size_t open) {
  int depth = 0;
  for (std::size_t at = open; at < code.size(); ++at) {
    if (code[at] == '{' || code[at] == '(') ++depth;
    if ((code[at] == '}' || code[at] == ')') && --depth == 0) return at + 1;
  }
  return code.size();
}

}  // namespace

Findings check_todos(const SourceTree& tree) {
  static const std::regex todo(R"(\b(?:TODO|FIXME|XXX)\b(?!\(#\d+\)))");
  Findings findings;
  for (const SourceFile& file : tree) {
    const bool checked = is_ours(file.path) || is_under(file.path, "scripts/") || is_under(file.path, "cmake/") ||
                         is_under(file.path, "config/");
    if (!checked || is_rule_itself(file.path)) continue;
    find_all(file, file.text, todo, "a TODO without an issue: write TODO(#12)", findings);
  }
  return findings;
}

Findings check_sleeps(const SourceTree& tree) {
  static const std::regex sleep(R"(\b(?:sleep_for|sleep_until|usleep|nanosleep)\s*\(|::sleep\s*\()");
  Findings findings;
  for (const SourceFile& file : tree) {
    if (!is_cpp(file.path) || !is_ours(file.path) || is_rule_itself(file.path) || kSleepers.contains(file.path))
      continue;
    find_all(file, code_only(file.text), sleep, "sleeps to wait: wait on the thing, or move a fake clock", findings);
  }
  return findings;
}

Findings check_disabled_tests(const SourceTree& tree) {
  static const std::regex disabled(R"(\bDISABLED_\w+|\bGTEST_SKIP\b)");
  Findings findings;
  for (const SourceFile& file : tree) {
    if (!is_cpp(file.path) || !is_under(file.path, "tests/") || is_rule_itself(file.path)) continue;
    find_all(file, code_only(file.text), disabled, "a test that does not run", findings);
  }
  return findings;
}

Findings check_errc_defaults(const SourceTree& tree) {
  static const std::regex switch_word(R"(\bswitch\s*\()");
  static const std::regex errc_case(R"(\bcase\s+(\w+::)*Errc::)");
  static const std::regex default_label(R"(\bdefault\s*:)");
  Findings findings;
  for (const SourceFile& file : tree) {
    if (!is_cpp(file.path) || !is_ours(file.path) || is_rule_itself(file.path)) continue;
    const std::string code = code_only(file.text);
    for (auto it = std::sregex_iterator(code.begin(), code.end(), switch_word); it != std::sregex_iterator(); ++it) {
      const auto begin = static_cast<std::size_t>(it->position());
      const std::size_t open = code.find('{', behind_closing(code, code.find('(', begin)));
      if (open == std::string::npos) continue;
      const std::string body = code.substr(open, behind_closing(code, open) - open);
      std::smatch label;
      if (std::regex_search(body, errc_case) && std::regex_search(body, label, default_label)) {
        findings.push_back({file.path, line_of(code, open + static_cast<std::size_t>(label.position())),
                            "default: in a switch over Errc, a new error would go unplaced"});
      }
    }
  }
  return findings;
}

Findings check_file_length(const SourceTree& tree) {
  constexpr std::size_t kLinesMax = 700;
  Findings findings;
  for (const SourceFile& file : tree) {
    if (!is_cpp(file.path) || !(is_under(file.path, "src/") || is_under(file.path, "include/"))) continue;
    const std::size_t lines = line_of(file.text, file.text.size()) - 1;
    if (lines > kLinesMax) findings.push_back({file.path, 0, std::to_string(lines) + " lines; split it"});
  }
  return findings;
}

Findings check_machine_paths(const SourceTree& tree) {
  static const std::regex machine_path(R"((?:^|[^\w.}/-])(/(?:work|root|Users|home)/\w))", std::regex::multiline);
  Findings findings;
  for (const SourceFile& file : tree) {
    if (is_rule_itself(file.path)) continue;
    find_all(file, file.text, machine_path, "a path of somebody's machine", findings);
  }
  return findings;
}

Findings check_swallowed_exceptions(const SourceTree& tree) {
  static const std::regex swallowed(R"(\bcatch\s*\(\s*\.\.\.\s*\)\s*\{\s*\})");
  Findings findings;
  for (const SourceFile& file : tree) {
    if (!is_cpp(file.path) || !is_ours(file.path) || is_rule_itself(file.path)) continue;
    find_all(file, code_only(file.text), swallowed, "swallows every exception", findings);
  }
  return findings;
}

Findings check_listed_in_cmake(const SourceTree& tree) {
  Findings findings;
  for (const SourceFile& file : tree) {
    if (!file.path.ends_with(".cc") || !is_ours(file.path)) continue;
    const std::string name = file.path.substr(file.path.rfind('/') + 1);
    // Its own folder and those above may name it, and so may src/core for tests/unit/core.
    std::string unit_of;
    if (is_under(file.path, "tests/unit/")) unit_of = "src/" + file.path.substr(11);
    const bool listed = std::any_of(tree.begin(), tree.end(), [&](const SourceFile& list) {
      if (!list.path.ends_with("CMakeLists.txt")) return false;
      const std::string folder = list.path.substr(0, list.path.size() - std::string_view("CMakeLists.txt").size());
      if (!is_under(file.path, folder) && !(!unit_of.empty() && is_under(unit_of, folder))) return false;
      static const std::regex comment("#[^\n]*");
      const std::string text = std::regex_replace(list.text, comment, "");
      for (std::size_t at = text.find(name); at != std::string::npos; at = text.find(name, at + 1)) {
        const bool starts = at == 0 || std::string_view(" \t\n/(\"").find(text[at - 1]) != std::string_view::npos;
        const std::size_t end = at + name.size();
        const bool ends = end == text.size() || std::string_view(" \t\n)\"").find(text[end]) != std::string_view::npos;
        if (starts && ends) return true;
      }
      return false;
    });
    if (!listed) findings.push_back({file.path, 0, "is in no CMakeLists.txt, so nobody compiles it"});
  }
  return findings;
}

}  // namespace weir::tidy
