#include "weir/core/topics.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <map>
#include <unordered_map>
#include <utility>

#include "weir/base/log.h"
#include "weir/core/topic_log.h"

namespace weir::core {

using model::Topic;
using model::TopicId;
using model::WorkspaceId;
using storage::KeyedWrite;
using storage::Table;

namespace {

constexpr std::string_view kNextTopicId = "next_topic_id";
constexpr auto kClockLeadMax = std::chrono::hours{1};
constexpr auto kClockLeadAccepted = std::chrono::hours{24};

/// Keys of the topics table sort by id.
std::string topic_key(TopicId id) {
  std::string digits = std::to_string(value_of(id));
  return std::string(20 - digits.size(), '0') + digits;
}

std::size_t characters(std::string_view utf8) {
  return static_cast<std::size_t>(
      std::count_if(utf8.begin(), utf8.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n\f\v") == std::string_view::npos;
}

std::uint64_t parse_number(std::string_view digits) {
  std::uint64_t value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

}  // namespace

struct Topics::Impl {
  storage::Store& store;
  TopicRegistry& registry;
  Broker& broker;
  const Clock& clock;
  Executor& worker;
  std::vector<Loop*> loops;
  const TopicLimits limits;
  std::vector<RegistryView> views;  // by loop, used on its thread only

  // worker only, after load()
  std::map<std::pair<WorkspaceId, std::string>, TopicId> names;
  std::uint64_t next_id = 1;
  WallTime wall_base{};
  SteadyTime steady_base{};
  std::optional<SteadyTime> clock_ahead_since;
  // Shared with the round, whose end clears it, also when a stopping worker or store drops the round.
  const std::shared_ptr<std::atomic<bool>> reclaiming = std::make_shared<std::atomic<bool>>(false);

  Impl(storage::Store& s, TopicRegistry& r, Broker& b, const Clock& c, Executor& w, std::vector<Loop*> l,
       TopicLimits lim)
      : store(s), registry(r), broker(b), clock(c), worker(w), loops(std::move(l)), limits(lim) {
    for (std::size_t i = 0; i < loops.size(); ++i) views.emplace_back(registry);
    wall_base = clock.wall_now();
    steady_base = clock.steady_now();
  }

  template <class T>
  void finish(std::size_t loop, Done<T> done, Result<T> result) {
    loops[loop]->post([done = std::move(done), result = std::move(result)]() mutable { done(std::move(result)); });
  }

  /// Worker only: the newest entry, if the caller may know it.
  TopicEntryPtr entry_of(WorkspaceId workspace, TopicId id) const {
    TopicEntryPtr entry = registry.snapshot()->find(id);
    return entry && entry->topic.workspace == workspace ? entry : nullptr;
  }

  void check_name(WorkspaceId workspace, const std::string& name, std::optional<TopicId> own,
                  std::vector<FieldError>& errors) const {
    if (is_blank(name)) {
      errors.push_back({"name", "can't be blank"});
    } else if (characters(name) > limits.name_characters_max) {
      errors.push_back(
          {"name", "is too long (maximum is " + std::to_string(limits.name_characters_max) + " characters)"});
    } else {
      const auto taken = names.find({workspace, name});
      if (taken != names.end() && taken->second != own) errors.push_back({"name", "has already been taken"});
    }
  }

  void check_description(const std::optional<std::string>& text, std::vector<FieldError>& errors) const {
    if (text && text->size() > limits.description_bytes_max) {
      errors.push_back(
          {"description", "is too long (maximum is " + std::to_string(limits.description_bytes_max) + " bytes)"});
    }
  }

  void check_retention(std::chrono::seconds retention, std::vector<FieldError>& errors) const {
    if (retention < std::chrono::seconds{1}) {
      errors.push_back({"retention", "must be at least 1"});
    } else if (retention > limits.retention_max) {
      errors.push_back({"retention", "must be at most " + std::to_string(limits.retention_max.count())});
    }
  }

  model::Schema compile(const std::string& json, std::vector<FieldError>& errors) const {
    auto schema = model::Schema::compile(json, limits.unknown_fields, limits.schema_bytes_max);
    if (schema) return std::move(schema).value();
    errors.insert(errors.end(), schema.error().fields.begin(), schema.error().fields.end());
    return {};
  }

  static Error invalid(std::vector<FieldError> errors) {
    return Error{Errc::validation_failed, "Validation failed", std::move(errors)};
  }

  Result<TopicEntryPtr> create(NewTopic wanted) {
    auto entry = std::make_shared<TopicEntry>();
    std::vector<FieldError> errors;
    const auto retention = wanted.retention.value_or(limits.retention_default);
    check_name(wanted.workspace, wanted.name, std::nullopt, errors);
    entry->schema = compile(wanted.schema, errors);
    check_retention(retention, errors);
    check_description(wanted.description, errors);
    if (!errors.empty()) return invalid(std::move(errors));
    if (limits.topics_max != 0 && count_of(wanted.workspace) >= limits.topics_max) {
      return make_error(Errc::bad_request,
                        "topic limit reached (" + std::to_string(limits.topics_max) + " topics per workspace)");
    }

    Topic& topic = entry->topic;
    topic.id = TopicId{next_id};
    topic.workspace = wanted.workspace;
    topic.name = std::move(wanted.name);
    topic.description = std::move(wanted.description);
    topic.schema = std::move(wanted.schema);
    topic.retention = retention;
    topic.created_at = topic.updated_at = clock.wall_now();

    // A crash in between leaves a log without a topic, which load() drops. The counter moves with the topic, so an id
    // is never given twice.
    WEIR_TRY(store.create_log(topic.id));
    std::vector<KeyedWrite> changes;
    changes.push_back({Table::topics, topic_key(topic.id), model::encode_topic(topic), KeyedWrite::Expected{}});
    changes.push_back({Table::meta, std::string(kNextTopicId), std::to_string(next_id + 1)});
    WEIR_TRY(store.write(std::move(changes)));
    ++next_id;
    entry->log =
        std::make_shared<TopicLog>(topic.id, model::Offset{}, model::Offset{}, std::nullopt, broker.tail_budget());
    names[{topic.workspace, topic.name}] = topic.id;
    registry.set(topic.id, entry);
    return TopicEntryPtr(std::move(entry));
  }

  Result<TopicEntryPtr> update(WorkspaceId workspace, TopicId id, TopicPatch patch) {
    const TopicEntryPtr before = entry_of(workspace, id);
    if (!before) return make_error(Errc::topic_not_found);
    auto entry = std::make_shared<TopicEntry>(*before);
    Topic& topic = entry->topic;
    std::vector<FieldError> errors;
    if (patch.name) {
      check_name(workspace, *patch.name, id, errors);
      topic.name = std::move(*patch.name);
    }
    if (patch.schema) {
      entry->schema = compile(*patch.schema, errors);
      topic.schema = std::move(*patch.schema);
    }
    if (patch.retention) {
      check_retention(*patch.retention, errors);
      if (*patch.retention > topic.retention) topic.readable_from = topic.oldest_readable(clock.wall_now());
      topic.retention = *patch.retention;
    }
    if (patch.description) {
      check_description(*patch.description, errors);
      topic.description = std::move(*patch.description);
    }
    if (!errors.empty()) return invalid(std::move(errors));
    const Topic& old = before->topic;
    if (topic.name == old.name && topic.schema == old.schema && topic.retention == old.retention &&
        topic.description == old.description) {
      return before;
    }

    topic.updated_at = std::max(clock.wall_now(), old.updated_at);
    std::vector<KeyedWrite> changes;
    changes.push_back({Table::topics, topic_key(id), model::encode_topic(topic)});
    WEIR_TRY(store.write(std::move(changes)));
    if (topic.name != old.name) {
      names.erase({workspace, old.name});
      names[{workspace, topic.name}] = id;
    }
    registry.set(id, entry);
    return TopicEntryPtr(std::move(entry));
  }

  Result<void> erase(WorkspaceId workspace, TopicId id) {
    const TopicEntryPtr entry = entry_of(workspace, id);
    if (!entry) return make_error(Errc::topic_not_found);
    // First the topic, then its log: from here on a crash ends in "deleted", and load() drops what is left.
    std::vector<KeyedWrite> changes;
    changes.push_back({Table::topics, topic_key(id), std::nullopt});
    WEIR_TRY(store.write(std::move(changes)));
    names.erase({workspace, entry->topic.name});
    registry.set(id, nullptr);
    broker.on_topic_deleted(*entry->log, id);
    drop_log(id);
    return ok();
  }

  void drop_log(TopicId id) {
    store.drop_log(id, [id](Result<void> dropped) {
      if (!dropped) {
        log::logger("core").warn("log of a deleted topic kept until the next start topic={} error={}", value_of(id),
                                 dropped.error().detail);
      }
    });
  }

  std::size_t count_of(WorkspaceId workspace) const {
    std::size_t count = 0;
    for (auto it = names.lower_bound({workspace, std::string()}); it != names.end() && it->first.first == workspace;
         ++it) {
      ++count;
    }
    return count;
  }

  // --- retention

  /// False while the wall clock is suspiciously ahead: a clock that was set wrong must not delete. A lead that lasts is
  /// believed after a day (the machine may have slept, which the monotonic clock does not see).
  bool clock_is_believable() {
    const auto wall_elapsed = clock.wall_now() - wall_base;
    const auto steady_elapsed = std::chrono::floor<std::chrono::milliseconds>(clock.steady_now() - steady_base);
    const auto lead = wall_elapsed - steady_elapsed;
    if (lead <= kClockLeadMax) {
      clock_ahead_since.reset();
      return true;
    }
    if (!clock_ahead_since) {
      clock_ahead_since = clock.steady_now();
      log::logger("core").warn("wall clock jumped ahead, keeping expired messages on disk lead_ms={}", lead.count());
    }
    if (clock.steady_now() - *clock_ahead_since < kClockLeadAccepted) return false;
    clock_ahead_since.reset();
    wall_base = clock.wall_now();
    steady_base = clock.steady_now();
    return true;
  }

  struct Reclaim {
    explicit Reclaim(std::shared_ptr<std::atomic<bool>> flag) : reclaiming(std::move(flag)) {}
    ~Reclaim() { *reclaiming = false; }
    Reclaim(const Reclaim&) = delete;
    Reclaim& operator=(const Reclaim&) = delete;
    const std::shared_ptr<std::atomic<bool>> reclaiming;
    std::vector<TopicEntryPtr> topics;
    std::size_t next = 0;
    std::size_t trimmed = 0;
    UniqueFunction<void(std::size_t), 64> done;
  };

  void start_reclaim(UniqueFunction<void(std::size_t), 64> done) {
    if (!clock_is_believable() || reclaiming->exchange(true)) return done(0);
    auto round = std::make_shared<Reclaim>(reclaiming);
    round->done = std::move(done);
    registry.snapshot()->for_each([&](const TopicEntryPtr& entry) {
      if (!entry->log->empty()) round->topics.push_back(entry);
    });
    reclaim_next(std::move(round));
  }

  /// One topic at a time, so that the readers' queue stays free for readers.
  void reclaim_next(std::shared_ptr<Reclaim> round) {
    if (round->next == round->topics.size()) {
      return round->done(round->trimmed);
    }
    const Topic& topic = round->topics[round->next++]->topic;
    const WallTime oldest = topic.oldest_readable(clock.wall_now());
    auto resume = [this, round] { worker.post([this, round] { reclaim_next(round); }); };
    store.stats(topic.id, oldest, [this, round, id = topic.id, resume](Result<storage::LogStats> stats) {
      if (!stats || stats.value().first_live <= stats.value().log_start) return resume();
      store.trim(id, stats.value().first_live, [round, resume](Result<void> trimmed) {
        if (trimmed) ++round->trimmed;
        resume();
      });
    });
  }
};

Topics::Topics(storage::Store& store, TopicRegistry& registry, Broker& broker, const Clock& clock, Executor& worker,
               std::vector<Loop*> loops, TopicLimits limits)
    : impl_(std::make_unique<Impl>(store, registry, broker, clock, worker, std::move(loops), limits)) {}

Topics::~Topics() = default;

Result<void> Topics::load() {
  WEIR_TRY(auto logs, impl_->store.logs());
  std::unordered_map<TopicId, storage::LogInfo> log_of;
  for (const storage::LogInfo& log : logs) log_of[log.topic] = log;

  WEIR_TRY(auto next_id, impl_->store.get(Table::meta, kNextTopicId));
  if (next_id) impl_->next_id = std::max<std::uint64_t>(1, parse_number(*next_id));

  std::vector<TopicEntryPtr> entries;
  WEIR_TRY(auto records, impl_->store.list(Table::topics, ""));
  for (const auto& [key, bytes] : records) {
    WEIR_TRY(Topic topic, model::decode_topic(bytes));
    const std::string name = "topic " + std::to_string(value_of(topic.id));
    const auto log = log_of.find(topic.id);
    if (log == log_of.end() || topic_key(topic.id) != key || value_of(topic.id) >= impl_->next_id) {
      return make_error(Errc::data_corrupt, name + ": its record does not fit the rest of the store");
    }
    auto schema = model::Schema::compile(topic.schema, impl_->limits.unknown_fields, topic.schema.size());
    if (!schema) return make_error(Errc::data_corrupt, name + ": its stored schema does not compile");
    auto entry = std::make_shared<TopicEntry>();
    entry->log = std::make_shared<TopicLog>(topic.id, log->second.log_start, log->second.log_end,
                                            log->second.last_activity, impl_->broker.tail_budget());
    entry->schema = std::move(schema).value();
    impl_->names[{topic.workspace, topic.name}] = topic.id;
    entry->topic = std::move(topic);
    log_of.erase(log);
    entries.push_back(std::move(entry));
  }
  impl_->registry.load(std::move(entries));
  for (const auto& [id, log] : log_of) {
    // Its id is spent: a new topic of the same id could meet the drop.
    impl_->next_id = std::max(impl_->next_id, value_of(id) + 1);
    impl_->drop_log(id);
  }
  return ok();
}

TopicEntryPtr Topics::find(std::size_t loop, WorkspaceId workspace, TopicId id) {
  const TopicEntryPtr& entry = impl_->views[loop].find(id);
  return entry && entry->topic.workspace == workspace ? entry : nullptr;
}

std::vector<TopicEntryPtr> Topics::list(std::size_t loop, const TopicQuery& query) {
  std::vector<TopicEntryPtr> found;
  impl_->views[loop].snapshot().for_each([&](const TopicEntryPtr& entry) {
    const Topic& topic = entry->topic;
    if (topic.workspace != query.workspace) return;
    if (topic.name.find(query.name_contains) == std::string::npos) return;
    if (!query.only.empty() && std::find(query.only.begin(), query.only.end(), topic.id) == query.only.end()) return;
    found.push_back(entry);
  });
  switch (query.sort) {
    case TopicQuery::Sort::id: break;  // the order of the registry
    case TopicQuery::Sort::name:
      std::stable_sort(found.begin(), found.end(), [](const TopicEntryPtr& a, const TopicEntryPtr& b) {
        return a->topic.name < b->topic.name;  // std::string compares bytes as unsigned
      });
      break;
    case TopicQuery::Sort::activity: {
      // Read each time once: it may move while we sort.
      std::vector<std::pair<WallTime, TopicEntryPtr>> timed;
      for (TopicEntryPtr& entry : found) {
        const WallTime time = entry->log->last_activity().value_or(entry->topic.created_at);
        timed.emplace_back(time, std::move(entry));
      }
      std::sort(timed.begin(), timed.end(), [](const auto& a, const auto& b) {
        return std::pair(a.first, a.second->topic.id) > std::pair(b.first, b.second->topic.id);
      });
      for (std::size_t i = 0; i < timed.size(); ++i) found[i] = std::move(timed[i].second);
      break;
    }
  }
  return found;
}

void Topics::create(std::size_t loop, NewTopic topic, Done<TopicEntryPtr> done) {
  impl_->worker.post([impl = impl_.get(), loop, topic = std::move(topic), done = std::move(done)]() mutable {
    impl->finish<TopicEntryPtr>(loop, std::move(done), impl->create(std::move(topic)));
  });
}

void Topics::update(std::size_t loop, WorkspaceId workspace, TopicId id, TopicPatch patch, Done<TopicEntryPtr> done) {
  impl_->worker.post(
      [impl = impl_.get(), loop, workspace, id, patch = std::move(patch), done = std::move(done)]() mutable {
        impl->finish<TopicEntryPtr>(loop, std::move(done), impl->update(workspace, id, std::move(patch)));
      });
}

void Topics::purge(std::size_t loop, WorkspaceId workspace, TopicId id, Done<void> done) {
  impl_->worker.post([impl = impl_.get(), loop, workspace, id, done = std::move(done)]() mutable {
    if (!impl->entry_of(workspace, id)) {
      return impl->finish<void>(loop, std::move(done), make_error(Errc::topic_not_found));
    }
    impl->store.purge(id, [impl, loop, done = std::move(done)](Result<void> purged) mutable {
      impl->finish<void>(loop, std::move(done), std::move(purged));
    });
  });
}

void Topics::erase(std::size_t loop, WorkspaceId workspace, TopicId id, Done<void> done) {
  impl_->worker.post([impl = impl_.get(), loop, workspace, id, done = std::move(done)]() mutable {
    impl->finish<void>(loop, std::move(done), impl->erase(workspace, id));
  });
}

void Topics::stats(std::size_t loop, WorkspaceId workspace, TopicId id, Done<storage::LogStats> done) {
  const TopicEntryPtr entry = find(loop, workspace, id);
  if (!entry) return done(make_error(Errc::topic_not_found));
  impl_->store.stats(id, entry->topic.oldest_readable(impl_->clock.wall_now()),
                     [impl = impl_.get(), loop, done = std::move(done)](Result<storage::LogStats> stats) mutable {
                       impl->finish<storage::LogStats>(loop, std::move(done), std::move(stats));
                     });
}

void Topics::reclaim_expired(UniqueFunction<void(std::size_t), 64> done) {
  impl_->worker.post([impl = impl_.get(), done = std::move(done)]() mutable { impl->start_reclaim(std::move(done)); });
}

}  // namespace weir::core
