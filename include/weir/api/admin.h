#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "weir/api/guard.h"
#include "weir/base/config.h"
#include "weir/base/executor.h"
#include "weir/base/random.h"
#include "weir/core/access.h"
#include "weir/core/topics.h"
#include "weir/http/message.h"

/// The admin door (tokens, statistics) and the health answers.
namespace weir::api::admin {

/// How busy the server is at this moment.
struct Status {
  std::size_t polls_waiting = 0;
  std::size_t connections_open = 0;
  std::size_t topics = 0;  ///< of all workspaces
};

/// Everything must outlive the routes.
struct AdminDeps {
  const Guard& guard;
  core::Access& access;
  core::Topics& topics;
  const Config& config;
  Random& random;                  ///< for the ids of unexpected failures
  Executor& worker;                ///< changes of tokens run here: they block for the disk
  std::vector<Loop*> loops;        ///< in index order; answers go back to the loop that asked
  std::function<Status()> status;  ///< called on any loop, must not block
};

/// POST and GET /api/admin/tokens, DELETE /api/admin/tokens/:id, GET /api/admin/topics/:id/stats,
/// GET /api/admin/status.
std::vector<http::Route> routes(const AdminDeps& deps);

/// Why the server cannot take work now; empty when it can. Called on any loop, must not block.
using NotReady = std::function<std::optional<std::string>()>;

/// GET /healthz (the process answers) and GET /readyz (it can work, else 503 with the reason); no token needed.
std::vector<http::Route> health_routes(NotReady not_ready);

}  // namespace weir::api::admin
