#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "weir/base/result.h"

/// Small files that the server leaves in its data folder for people and for the command line.
namespace weir::app {

/// `<data_dir>/admin.token`: the text of the first admin token, mode 0600. Durable when it returns.
Result<void> write_admin_token(const std::filesystem::path& data_dir, const std::string& text);
std::optional<std::string> read_admin_token(const std::filesystem::path& data_dir);

/// `<data_dir>/weir.address`: where the running server listens, for `weir token` and its like.
Result<void> write_address(const std::filesystem::path& data_dir, const std::string& address);
std::optional<std::string> read_address(const std::filesystem::path& data_dir);
void remove_address(const std::filesystem::path& data_dir);

/// A server holds the folder now (its LOCK file is locked).
bool is_held(const std::filesystem::path& data_dir);
/// A server has initialised the folder.
bool is_data_dir(const std::filesystem::path& data_dir);

}  // namespace weir::app
