#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir::app {

/// Where `weir token` works: on a running server, or on the data folder of a stopped one.
struct TokenTarget {
  std::optional<std::string> url;    ///< --url or WEIR_URL: that server
  std::optional<std::string> token;  ///< --token, WEIR_TOKEN or WEIR_ADMIN_TOKEN; else the folder's admin.token
  std::string data_dir = "./data";   ///< without a URL: this folder, through its server if one holds it
  bool json = false;                 ///< print JSON for scripts
};

struct TokenCreate {
  std::string name;
  std::vector<std::string> privileges;
  std::vector<std::uint64_t> topics;
  std::optional<std::uint64_t> expires_in_seconds;
};

/// Each prints its result and returns an exit code (serve.h).
int token_create(const TokenTarget& target, const TokenCreate& wanted);
int token_list(const TokenTarget& target);
int token_revoke(const TokenTarget& target, const std::string& id);

}  // namespace weir::app
