#pragma once

#include <vector>

#include "weir/api/guard.h"
#include "weir/base/config.h"
#include "weir/base/random.h"
#include "weir/core/broker.h"
#include "weir/core/topics.h"
#include "weir/http/message.h"

/// The Workato door: consume, publish, batch publish and topic management (docs/protocols/workato.md).
namespace weir::api::workato {

/// Everything must outlive the routes.
struct WorkatoDeps {
  const Guard& guard;
  core::Broker& broker;
  core::Topics& topics;
  const Config& config;
  Random& random;  ///< for the ids of unexpected failures
};

/// The routes of both of Workato's hosts and of its legacy name space.
std::vector<http::Route> routes(const WorkatoDeps& deps);

}  // namespace weir::api::workato
