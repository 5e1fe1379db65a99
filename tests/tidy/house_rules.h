#pragma once

#include "source_tree.h"

/// Rules of the house that no compiler checks.
namespace weir::tidy {

/// A TODO, FIXME or XXX that names no issue ("TODO(#12)").
Findings check_todos(const SourceTree& tree);
/// Sleeping to wait, in code or tests. Allowed only in the files that kSleepers of house_rules.cc lists, with a reason.
Findings check_sleeps(const SourceTree& tree);
/// A test that is switched off or skips itself.
Findings check_disabled_tests(const SourceTree& tree);
/// A `default:` in a switch over Errc: a new error would go unplaced. (Found by its `case Errc::`.)
Findings check_errc_defaults(const SourceTree& tree);
/// A file of src/ or include/ over 700 lines.
Findings check_file_length(const SourceTree& tree);
/// Paths of somebody's machine (home folders, working folders) anywhere in the project.
Findings check_machine_paths(const SourceTree& tree);
/// Swallowed exceptions: `catch (...) {}`.
Findings check_swallowed_exceptions(const SourceTree& tree);
/// A .cc file that no CMakeLists.txt of its folder or above names: it would never be compiled, its tests never run.
Findings check_listed_in_cmake(const SourceTree& tree);

}  // namespace weir::tidy
