#pragma once

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "weir/base/executor.h"
#include "weir/core/broker.h"
#include "weir/core/topic_log.h"
#include "weir/core/topics.h"
#include "weir/storage/memory_store.h"

#include "support/fake_clock.h"

namespace weir::core::test {

using namespace std::chrono_literals;
using model::Offset;
using model::TopicId;
using weir::test::FakeClock;

/// The end of a call that the tests run to.
template <class T>
struct Outcome {
  std::shared_ptr<std::optional<Result<T>>> place = std::make_shared<std::optional<Result<T>>>();
  auto callback() const {
    return [place = place](Result<T> result) {
      EXPECT_FALSE(place->has_value()) << "called twice";
      place->emplace(std::move(result));
    };
  }
  bool done() const { return place->has_value(); }
  /// Fails the test (by an exception that GoogleTest reports) rather than ending the run.
  const Result<T>& result() const {
    if (!done()) throw std::logic_error("the call has not been answered");
    return **place;
  }
  decltype(auto) value() const {
    if (!result()) throw std::logic_error("the call failed: " + result().error().detail);
    return result().value();
  }
  Errc error() const {
    if (result()) throw std::logic_error("the call succeeded");
    return result().error().code;
  }
};

using PageOutcome = Outcome<std::shared_ptr<const Page>>;

/// The whole core on one thread: two loops, a worker and the store's thread, each stepped by hand.
class Core {
 public:
  explicit Core(BrokerLimits limits = {}, std::shared_ptr<storage::MemoryDisk> disk = storage::make_memory_disk(),
                std::shared_ptr<FakeClock> clock = std::make_shared<FakeClock>())
      : shared_clock_(std::move(clock)), disk_(std::move(disk)) {
    broker_ = std::make_unique<Broker>(store_, registry_, clock_, std::vector<Loop*>{&loop_a_, &loop_b_}, limits);
    store_.set_watcher(broker_.get());
    topics_ = std::make_unique<Topics>(store_, registry_, *broker_, clock_, worker_,
                                       std::vector<Loop*>{&loop_a_, &loop_b_}, TopicLimits{});
    EXPECT_TRUE(topics_->load());
  }
  /// A crash, as the store sees it: what waits for its commit is lost.
  ~Core() { store_owner_.reset(); }

  /// Runs everything that is ready, until nothing is.
  void run() {
    while (loop_a_.run_one() || loop_b_.run_one() || worker_.run_one() || store_executor_.run_one()) {
    }
  }
  void advance(std::chrono::milliseconds by) {
    clock_.advance(by);
    loop_a_.timers().advance(clock_.steady_now());
    loop_b_.timers().advance(clock_.steady_now());
    run();
  }

  TopicId create(const std::string& name = "orders", const std::string& schema = "[]",
                 std::chrono::seconds retention = 604800s) {
    Outcome<TopicEntryPtr> created;
    topics_->create(0, {model::kDefaultWorkspace, name, schema, std::nullopt, retention}, created.callback());
    run();
    return created.value()->topic.id;
  }
  Outcome<Published> start_publish(TopicId topic, std::string_view body, std::size_t loop = 0,
                                   std::optional<IdempotencyKey> key = {}) {
    Outcome<Published> published;
    broker_->publish(loop, topic, body, std::move(key), published.callback());
    return published;
  }
  Offset publish(TopicId topic, std::string_view body) {
    auto published = start_publish(topic, body);
    run();
    return published.value().offset;
  }
  PageOutcome start_poll(const Poll& poll, std::size_t loop = 0, PollTicket* ticket = nullptr) {
    PageOutcome page;
    const PollTicket got = broker_->poll(loop, poll, page.callback());
    if (ticket != nullptr) *ticket = got;
    return page;
  }
  PageOutcome poll(const Poll& what, std::size_t loop = 0) {
    auto page = start_poll(what, loop);
    run();
    return page;
  }

  std::shared_ptr<FakeClock> shared_clock_;
  FakeClock& clock_ = *shared_clock_;
  ManualExecutor loop_a_{0, clock_.steady_now()};
  ManualExecutor loop_b_{1, clock_.steady_now()};
  ManualExecutor worker_;
  ManualExecutor store_executor_;
  std::shared_ptr<storage::MemoryDisk> disk_;
  std::unique_ptr<storage::MemoryStore> store_owner_ =
      std::make_unique<storage::MemoryStore>(storage::MemoryStore::Options{disk_, &clock_, &store_executor_});
  storage::MemoryStore& store_ = *store_owner_;
  TopicRegistry registry_;
  std::unique_ptr<Broker> broker_;
  std::unique_ptr<Topics> topics_;
};

inline Poll from_oldest(TopicId topic, std::chrono::milliseconds timeout = 0ms) {
  Poll poll;
  poll.topic = topic;
  poll.timeout = timeout;
  return poll;
}
inline Poll after(TopicId topic, Offset offset, std::chrono::milliseconds timeout = 0ms) {
  Poll poll = from_oldest(topic, timeout);
  poll.start = AfterMessage{offset};
  return poll;
}

}  // namespace weir::core::test
