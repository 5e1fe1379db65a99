#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "weir/api/guard.h"
#include "weir/base/config.h"
#include "weir/base/executor.h"
#include "weir/base/random.h"
#include "weir/core/access.h"
#include "weir/core/broker.h"
#include "weir/core/topics.h"
#include "weir/storage/memory_store.h"

#include "support/fake_clock.h"
#include "unit/api/fake_head.h"

namespace weir::api::test {

/// A whole core over the memory store, on one thread that runs when told to.
struct Rig {
  explicit Rig(Config given = {}) : config(std::move(given)) {
    store.set_watcher(&broker);
    EXPECT_TRUE(topics.load());
    EXPECT_TRUE(access.load(std::nullopt));
  }
  ~Rig() {
    store.close();
    registry.load({});  // a topic's tail gives its memory back to the broker, which goes before the registry does
  }

  static storage::MemoryStore::Options store_options(const Clock& clock) {
    storage::MemoryStore::Options options;
    options.clock = &clock;
    return options;
  }

  void run() {
    while (worker.run_all() + loop.run_all() != 0) {
    }
  }

  /// An Authorization header's value.
  std::string token(model::Privileges privileges, std::vector<model::TopicId> only = {},
                    model::WorkspaceId workspace = model::kDefaultWorkspace,
                    std::optional<std::chrono::seconds> lifetime = std::nullopt) {
    auto issued = access.create({"test", workspace, privileges, std::move(only), lifetime});
    EXPECT_TRUE(issued);
    return "Bearer " + issued.value().text;
  }

  model::TopicId topic(std::string name, model::WorkspaceId workspace = model::kDefaultWorkspace) {
    model::TopicId id{};
    topics.create(0, {workspace, std::move(name), "[]", std::nullopt, std::nullopt},
                  [&](Result<core::TopicEntryPtr> made) {
                    ASSERT_TRUE(made);
                    id = made.value()->topic.id;
                  });
    run();
    return id;
  }

  const Config config;
  weir::test::FakeClock clock;
  SeededRandom random{7};
  ManualExecutor loop;
  ManualExecutor worker;
  storage::MemoryStore store{store_options(clock)};
  core::TopicRegistry registry;
  core::Broker broker{store, registry, clock, {&loop}, {}};
  core::Topics topics{store, registry, broker, clock, worker, {&loop}, {}};
  core::Access access{store, clock, random};
  Guard guard{access, clock, config.rate_limit, config.api.cors_origin};
};

/// The answer of a route that refused; 0 as status if it took the request.
inline http::Response refusal(http::Admission admission) {
  if (auto* response = std::get_if<http::Response>(&admission)) return std::move(*response);
  http::Response accepted;
  accepted.status = 0;
  accepted.headers = std::get<http::Accepted>(admission).headers;
  return accepted;
}

inline bool has_line(const std::string& headers, const std::string& line) {
  return ("\r\n" + headers).find("\r\n" + line + "\r\n") != std::string::npos;
}

}  // namespace weir::api::test
