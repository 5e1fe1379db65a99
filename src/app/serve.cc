#include "app/serve.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <iostream>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include "weir/api/admin.h"
#include "weir/api/guard.h"
#include "weir/api/workato.h"
#include "weir/base/clock.h"
#include "weir/base/executor.h"
#include "weir/base/log.h"
#include "weir/base/random.h"
#include "weir/core/access.h"
#include "weir/core/broker.h"
#include "weir/core/topic_log.h"
#include "weir/core/topic_registry.h"
#include "weir/core/topics.h"
#include "weir/http/server.h"
#include "weir/storage_rocksdb/rocks_store.h"

#include "app/data_dir.h"

namespace weir::app {

namespace {

constexpr auto kLastUsedInterval = std::chrono::minutes{1};

/// Management changes wait for the disk: they run here, one after the other.
class Worker final : public Executor {
 public:
  Worker() : pool_("worker", 1, 100'000) {}
  void post(Task task) override {
    // A full queue drops the task, and with it the responder, which answers 500.
    if (!pool_.try_post(task) && !stopped_) log::logger("app").error("management queue is full, request dropped");
  }
  void stop() {
    stopped_ = true;
    pool_.stop();
  }

 private:
  ThreadPool pool_;
  std::atomic<bool> stopped_{false};
};

/// Runs `work` every `interval` until destroyed.
class Every {
 public:
  Every(std::chrono::milliseconds interval, std::function<void()> work)
      : thread_([interval, work = std::move(work)](const std::stop_token& stop) {
          std::mutex mutex;
          std::condition_variable_any wakeup;
          std::unique_lock lock(mutex);
          while (!wakeup.wait_for(lock, stop, interval, [&] { return stop.stop_requested(); })) {
            if (stop.stop_requested()) return;
            work();
          }
        }) {}

 private:
  std::jthread thread_;
};

http::ServerOptions server_options(const Config& config, std::size_t threads) {
  http::ServerOptions options;
  options.listen = config.server.listen;
  options.threads = threads;
  options.connections_max = config.server.connections_max;
  options.header_bytes_max = config.limits.header_bytes_max;
  options.header_fields_max = config.limits.header_fields_max;
  options.target_bytes_max = config.limits.target_bytes_max;
  options.body_bytes_inflight_max = config.server.body_bytes_inflight_max;
  options.response_bytes_inflight_max = config.server.response_bytes_inflight_max;
  options.head_timeout = config.server.head_timeout;
  options.body_timeout = config.server.body_timeout;
  options.body_bytes_per_second_min = config.server.body_bytes_per_second_min;
  options.idle_timeout = config.server.idle_timeout;
  options.send_timeout = config.server.send_timeout;
  using AccessLog = http::ServerOptions::AccessLog;
  options.access_log = config.log.access == "all"   ? AccessLog::all
                       : config.log.access == "off" ? AccessLog::off
                                                    : AccessLog::errors;
  return options;
}

storage_rocksdb::Options store_options(const Config& config, std::size_t threads, const Clock& clock) {
  storage_rocksdb::Options options;
  options.data_dir = config.storage.data_dir;
  options.durability = config.storage.durability == "os" ? storage::Durability::os : storage::Durability::fsync;
  options.claim_window = config.publish.idempotency_window;
  options.queue_bytes_max = config.storage.queue_bytes_max;
  options.queue_appends_max = config.storage.queue_appends_max;
  options.commit_bytes_max = config.storage.commit_bytes_max;
  options.reader_threads = config.storage.reader_threads;
  options.block_cache_bytes = config.storage.block_cache_bytes;
  options.memtable_bytes = config.storage.memtable_bytes;
  options.free_bytes_min = config.storage.free_bytes_min;
  options.reclaim_compact_bytes = config.storage.reclaim_compact_bytes;
  options.loops = threads;
  options.commit_on_caller = config.storage.commit == "inline";
  options.clock = &clock;
  return options;
}

core::BrokerLimits broker_limits(const Config& config) {
  core::BrokerLimits limits;
  limits.tail_bytes_max = config.storage.tail_bytes_max;
  limits.polls_waiting_max = config.limits.polls_waiting_max;
  limits.page_bytes_max = config.server.response_bytes_inflight_max;
  limits.payload.message_bytes_max = config.limits.message_bytes_max;
  limits.payload.depth_max = config.limits.json_depth_max;
  return limits;
}

core::TopicLimits topic_limits(const Config& config) {
  core::TopicLimits limits;
  limits.retention_default = std::chrono::seconds{config.limits.retention_seconds_default};
  limits.retention_max = std::chrono::seconds{config.limits.retention_seconds_max};
  limits.topics_max = config.limits.topics_per_workspace;
  limits.name_characters_max = config.limits.topic_name_characters_max;
  limits.description_bytes_max = config.limits.description_bytes_max;
  limits.schema_bytes_max = config.limits.schema_bytes_max;
  limits.unknown_fields = config.publish.unknown_fields == "reject" ? model::Schema::UnknownFields::reject
                                                                    : model::Schema::UnknownFields::keep;
  return limits;
}

/// Thousands of clients need thousands of descriptors: take what the system allows.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) log::logger("app").warn("descriptor limit stays as it was");
  }
}

/// The signals that end the server, blocked in every thread so that wait() alone takes them.
class StopSignals {
 public:
  StopSignals() {
    sigemptyset(&set_);
    sigaddset(&set_, SIGTERM);
    sigaddset(&set_, SIGINT);
    ::pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
  }
  int wait() const {
    int signal = 0;
    while (::sigwait(&set_, &signal) != 0) {
    }
    return signal;
  }

 private:
  sigset_t set_{};
};

int refuse(const Error& error, int exit_code) {
  std::cerr << "weir: " << error.detail << "\n";
  for (const FieldError& field : error.fields) std::cerr << "  " << field.field << ": " << field.message << "\n";
  log::stop();
  return exit_code;
}

/// A first start makes the token that the operator begins with. The file comes first: a crash in between leaves a file
/// without a token, which the next start replaces, never a token that nobody knows.
Result<std::optional<std::string>> first_admin_token(core::Access& access, const std::string& data_dir) {
  if (!access.empty()) return std::optional<std::string>{};
  core::NewToken wanted;
  wanted.name = "admin (first start)";
  wanted.privileges = {model::Privilege::admin};
  WEIR_TRY(auto issued, access.create(std::move(wanted), [&](const core::IssuedToken& token) {
    return write_admin_token(data_dir, token.text);
  }));
  return std::optional<std::string>(std::move(issued.text));
}

void print_welcome(const std::string& address, const std::string& data_dir, const std::optional<std::string>& token,
                   bool from_environment) {
  std::cout << "weir listens on http://" << address << "\n";
  if (token) {
    std::cout << "\nFirst start. The admin token, shown this once and kept in " << data_dir << "/admin.token:\n\n  "
              << *token << "\n";
  }
  const std::string bearer = token              ? *token
                             : from_environment ? "$WEIR_ADMIN_TOKEN"
                                                : "$(cat " + data_dir + "/admin.token)";
  std::cout << "\nA first call:\n\n  curl -s -H \"Authorization: Bearer " << bearer << "\" http://" << address
            << "/api/event_streams/topics\n\n"
            << std::flush;
}

}  // namespace

int serve(const Config& config, std::optional<std::string> admin_token) {
  const StopSignals signals;
  log::start({config.log.level, config.log.format == "json"});
  raise_descriptor_limit();
  const SystemClock clock;
  SystemRandom random;
  // One core is left to the commit thread and the store's own: on two cores, one loop serves 10 to 20 % more durable
  // publishes than two do, with less CPU for each (docs/performance.md).
  const std::size_t loops_default = std::max(2U, std::thread::hardware_concurrency()) - 1;
  const std::size_t threads =
      std::min<std::size_t>(config.server.threads == 0 ? loops_default : config.server.threads, core::kLoopsMax);

  // Lives longest: what the others give back to their loops must find them.
  auto bound = http::Server::bind(server_options(config, threads), clock, random);
  if (!bound) return refuse(bound.error(), kExitMisconfigured);
  http::Server& server = *bound.value();
  auto opened = storage_rocksdb::RocksStore::open(store_options(config, threads, clock));
  if (!opened) return refuse(opened.error(), kExitFailed);
  storage_rocksdb::RocksStore& store = *opened.value();
  remove_address(config.storage.data_dir);  // of a server that was killed: nobody may send a token there

  Worker worker;
  core::TopicRegistry registry;
  core::Broker broker(store, registry, clock, server.loops(), broker_limits(config));
  store.set_watcher(&broker);
  core::Topics topics(store, registry, broker, clock, worker, server.loops(), topic_limits(config));
  core::Access access(store, clock, random, config.limits.tokens_max);
  // The store may call the broker until it is closed, and outlives it.
  const auto give_up = [&](const Error& error, int exit_code) {
    store.close();
    return refuse(error, exit_code);
  };
  if (auto loaded = topics.load(); !loaded) return give_up(loaded.error(), kExitFailed);
  const bool from_environment = admin_token.has_value();
  if (auto loaded = access.load(std::move(admin_token)); !loaded) return give_up(loaded.error(), kExitFailed);
  auto first_token = first_admin_token(access, config.storage.data_dir);
  if (!first_token) return give_up(first_token.error(), kExitFailed);

  std::atomic<bool> stopping{false};
  const api::Guard guard(access, clock, config.rate_limit, config.api.cors_origin);
  const auto not_ready = [&]() -> std::optional<std::string> {
    if (stopping.load(std::memory_order_relaxed)) return "stopping";
    const storage::Health health = store.health();
    if (health.state == storage::Health::State::ok) return std::nullopt;
    return health.reason;
  };
  const auto status = [&] {
    return api::admin::Status{broker.polls_waiting(), server.connections_open(), registry.snapshot()->size()};
  };
  std::vector<http::Route> routes = api::workato::routes({guard, broker, topics, config, random});
  for (auto& more : {api::admin::routes({guard, access, topics, config, random, worker, server.loops(), status}),
                     api::admin::health_routes(not_ready)}) {
    routes.insert(routes.end(), more.begin(), more.end());
  }

  if (config.storage.commit == "inline") {
    Loop* loop = server.loops().front();
    store.set_commit_wakeup([loop] { loop->post([] {}); });
    server.set_end_of_round(0, [&store] { return store.commit_pending(); });
  } else {
    for (std::uint32_t i = 0; i < threads; ++i) {
      server.set_end_of_round(i, [&store, i] {
        store.end_round(i);
        return false;
      });
    }
  }
  server.start(std::move(routes));
  if (auto written = write_address(config.storage.data_dir, server.address()); !written) {
    log::logger("app").warn("address file not written error={}", written.error().detail);
  }
  log::logger("app").info("listening address={} data_dir={} durability={} threads={}", server.address(),
                          config.storage.data_dir, config.storage.durability, threads);
  print_welcome(server.address(), config.storage.data_dir, first_token.value(), from_environment);

  {
    const Every reclaim(config.storage.reclaim_interval, [&] {
      topics.reclaim_expired([](std::size_t trimmed) {
        if (trimmed != 0) log::logger("app").info("expired messages reclaimed topics={}", trimmed);
      });
    });
    const Every save_last_used(kLastUsedInterval, [&] {
      worker.post([&access] {
        if (auto saved = access.save_last_used(); !saved) {
          log::logger("app").warn("last use of tokens not saved error={}", saved.error().detail);
        }
      });
    });
    const int signal = signals.wait();
    log::logger("app").info("stopping signal={}", signal);
  }

  // Stop accepting; wake those who wait; let what is under way finish; then the store; then the loops.
  stopping.store(true, std::memory_order_relaxed);
  server.begin_drain();
  for (Loop* loop : server.loops()) {
    loop->post([&broker, index = loop->index()] { broker.release_polls(index); });
  }
  const std::size_t cut = server.wait_drained(clock.steady_now() + config.server.drain_timeout);
  if (cut != 0) log::logger("app").warn("drain timeout passed, requests cut off count={}", cut);
  if (auto saved = access.save_last_used(); !saved) {
    log::logger("app").warn("last use of tokens not saved error={}", saved.error().detail);
  }
  worker.stop();
  server.stop();
  remove_address(config.storage.data_dir);  // while the folder is ours
  store.close();
  log::logger("app").info("stopped");
  log::stop();
  return kExitOk;
}

void print_mistakes(const Error& error) {
  std::cerr << "weir: " << (error.detail.empty() ? "the configuration has mistakes" : error.detail) << "\n";
  for (const FieldError& field : error.fields) std::cerr << "  " << field.field << ": " << field.message << "\n";
  std::cerr << "Nothing was started. `weir serve --help` lists the options, config/weir.toml every key.\n";
}

}  // namespace weir::app
