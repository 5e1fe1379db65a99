#include "co_await_rules.h"

#include <cctype>
#include <regex>
#include <string>
#include <string_view>

namespace weir::tidy {
namespace {

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

/// From behind the last `;`, `{` or `}` before `at`, white space trimmed on both ends.
std::string statement_before(const std::string& code, std::size_t at) {
  const std::size_t last = at == 0 ? std::string::npos : code.find_last_of(";{}", at - 1);
  std::string text =
      code.substr(last == std::string::npos ? 0 : last + 1, at - (last == std::string::npos ? 0 : last + 1));
  const std::size_t begin = text.find_first_not_of(" \t\n");
  if (begin == std::string::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\n") - begin + 1);
}

/// The operand: up to the `;` that ends the statement, or the bracket that ends what it stands in.
std::string operand_after(const std::string& code, std::size_t at) {
  int depth = 0;
  std::size_t end = at;
  for (; end < code.size(); ++end) {
    const char c = code[end];
    if (c == '(' || c == '{' || c == '[') ++depth;
    if (c == ')' || c == '}' || c == ']') --depth;
    if (depth < 0 || (depth == 0 && c == ';')) break;
  }
  return code.substr(at, end - at);
}

}  // namespace

Findings check_co_await(const SourceTree& tree) {
  static const std::regex allowed_before(R"(|co_return|(const\s+)?auto\s*[&]{0,2}\s*(\w+|\[[\w\s,]+\])\s*=)");
  constexpr std::string_view kWord = "co_await";
  Findings findings;
  for (const SourceFile& file : tree) {
    if (!is_cpp(file.path)) continue;
    const std::string code = code_only(file.text);
    for (std::size_t at = code.find(kWord); at != std::string::npos; at = code.find(kWord, at + kWord.size())) {
      const std::size_t behind = at + kWord.size();
      if ((at > 0 && is_word(code[at - 1])) || (behind < code.size() && is_word(code[behind]))) continue;
      const auto report = [&](const char* problem) { findings.push_back({file.path, line_of(code, at), problem}); };
      const std::string operand = operand_after(code, behind);
      if (!std::regex_match(statement_before(code, at), allowed_before)) {
        report("co_await inside an expression: name its value first");
      } else if (operand.find(kWord) != std::string::npos) {
        report("two co_await in one statement");
      } else if (operand.find('{') != std::string::npos) {
        report("a braced temporary in a co_await: name it and move it");
      } else if (behind + operand.size() >= code.size() || code[behind + operand.size()] != ';') {
        report("co_await is not a statement of its own");
      }
    }
  }
  return findings;
}

}  // namespace weir::tidy
