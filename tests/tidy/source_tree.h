#pragma once

#include <cstddef>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

/// The checks of tests/tidy: each takes a tree of files and gives its findings, so that a test can hand it a bad tree
/// and see it complain before it is trusted with the real one.
namespace weir::tidy {

struct SourceFile {
  std::string path;  ///< relative to the root, '/' between the parts
  std::string text;
};
using SourceTree = std::vector<SourceFile>;

struct Finding {
  std::string path;
  std::size_t line = 0;  ///< from 1; 0: the file as a whole
  std::string problem;
  friend bool operator==(const Finding&, const Finding&) = default;
};
using Findings = std::vector<Finding>;
std::ostream& operator<<(std::ostream& out, const Finding& finding);
/// One finding a line, for a test's message.
std::string to_string(const Findings& findings);

/// The files of the project this test was built from, without what builds and runs leave behind (build, data, .git).
const SourceTree& project_tree();

/// `text` with the content of comments, strings and characters blanked out; every line keeps its number and length.
std::string code_only(std::string_view text);
/// The line, from 1, of a position in a text.
std::size_t line_of(std::string_view text, std::size_t position);

bool is_header(std::string_view path);
/// Headers and .cc files.
bool is_cpp(std::string_view path);
/// True when `path` lies in `folder` ("src/core/") or below.
bool is_under(std::string_view path, std::string_view folder);

}  // namespace weir::tidy
