#pragma once

#include <chrono>

#include "weir/api/workato.h"

#include "api/workato/consume.h"

namespace weir::api::workato {

/// What the handlers of this door share; lives as long as its routes.
struct Door {
  explicit Door(const WorkatoDeps& deps);

  const Guard& guard;
  core::Broker& broker;
  core::Topics& topics;
  const Config& config;
  Random& random;
  const ConsumeRules consume_rules;
  const std::chrono::minutes zone;  ///< in which topics show their times
};

}  // namespace weir::api::workato
