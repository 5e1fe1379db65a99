#include "config_table.h"

#include <chrono>
#include <type_traits>

#include "config_values.h"

namespace weir::config {
namespace {

constexpr std::uint64_t kKiB = 1024;
constexpr std::uint64_t kMiB = 1024 * kKiB;
constexpr std::uint64_t kGiB = 1024 * kMiB;
constexpr std::uint64_t kTiB = 1024 * kGiB;
constexpr std::uint64_t kDay = 24 * 3600;

template <auto Section, auto Member>
auto& at(Config& config) {
  return config.*Section.*Member;
}

template <auto Section, auto Member>
Number number(std::uint64_t min, std::uint64_t max, Notation notation = Notation::plain) {
  return {[](const Config& config) {
            if constexpr (requires { (config.*Section.*Member).count(); }) {
              return static_cast<std::uint64_t>((config.*Section.*Member).count());
            } else {
              return static_cast<std::uint64_t>(config.*Section.*Member);
            }
          },
          [](Config& config, std::uint64_t value) {
            auto& member = config.*Section.*Member;
            member = std::remove_reference_t<decltype(member)>(value);
          },
          min, max, notation};
}

template <auto Section, auto Member>
Number bytes(std::uint64_t min, std::uint64_t max) {
  return number<Section, Member>(min, max, Notation::bytes);
}

/// Bounds in milliseconds.
template <auto Section, auto Member>
Number seconds(std::uint64_t min_ms, std::uint64_t max_ms) {
  return number<Section, Member>(min_ms, max_ms, Notation::seconds);
}

std::vector<Row> make_table() {
  using C = Config;
  using Server = C::Server;
  using Storage = C::Storage;
  using RateLimit = C::RateLimit;
  using Limits = C::Limits;
  constexpr auto server = &C::server;
  constexpr auto storage = &C::storage;
  constexpr auto rate_limit = &C::rate_limit;
  constexpr auto limits = &C::limits;
  constexpr auto publish = &C::publish;
  constexpr auto api = &C::api;
  constexpr auto log = &C::log;
  return {
      {"server.listen", Text{at<server, &Server::listen>, {}, is_listen_address, "HOST:PORT or [IPV6]:PORT"}, "",
       "Where HTTP is served. Port 0 takes any free one; the log names it."},
      {"server.threads", number<server, &Server::threads>(0, 64), "threads",
       "Network threads, each with its own listening socket. 0: one for each core but one, which is left to the store; "
       "at least one."},
      {"server.connections_max", number<server, &Server::connections_max>(1, 10'000'000), "connections",
       "Open connections, all threads together. One more is answered 503 and closed."},
      {"server.head_timeout_seconds", seconds<server, &Server::head_timeout>(10, 600'000), "seconds",
       "From the first byte of a request to the end of its header. Longer: 408."},
      {"server.body_timeout_seconds", seconds<server, &Server::body_timeout>(10, 3'600'000), "seconds",
       "For the body of a request; starts again while the body comes fast enough. Longer: 408."},
      {"server.body_bytes_per_second_min", bytes<server, &Server::body_bytes_per_second_min>(0, kGiB),
       "bytes per second", "What is fast enough for the body and send timeouts to start again."},
      {"server.idle_timeout_seconds", seconds<server, &Server::idle_timeout>(10, kDay * 1000), "seconds",
       "How long a connection may rest between two requests before it is closed."},
      {"server.send_timeout_seconds", seconds<server, &Server::send_timeout>(10, 3'600'000), "seconds",
       "For a client to take its answer; starts again while it takes it fast enough. Else it is cut off."},
      {"server.drain_timeout_seconds", seconds<server, &Server::drain_timeout>(0, 3'600'000), "seconds",
       "After SIGTERM or SIGINT: how long requests under way may take to finish."},
      {"server.body_bytes_inflight_max", bytes<server, &Server::body_bytes_inflight_max>(64 * kKiB, kTiB), "bytes",
       "Request bodies being received, all connections together. More: 503."},
      {"server.response_bytes_inflight_max", bytes<server, &Server::response_bytes_inflight_max>(64 * kKiB, kTiB),
       "bytes", "Answers that clients have not yet taken, all together. More: consumes and lists answer 503."},

      {"storage.data_dir", Text{at<storage, &Storage::data_dir>, {}, is_path, "a path"}, "",
       "The folder that holds everything; made if absent. One process at a time."},
      {"storage.durability", Text{at<storage, &Storage::durability>, {"fsync", "os"}}, "",
       "What an answered publish survives. fsync: a crash of the host and a power cut. os: a crash of weir only; "
       "faster."},
      {"storage.commit", Text{at<storage, &Storage::commit>, {"thread", "inline"}}, "",
       "Who writes to the disk. thread: a thread of its own. inline: the network thread, at the end of each round; "
       "needs server.threads = 1."},
      {"storage.queue_bytes_max", bytes<storage, &Storage::queue_bytes_max>(64 * kKiB, 64 * kGiB), "bytes",
       "Payload waiting to be written. More: publishing is answered 503."},
      {"storage.queue_appends_max", number<storage, &Storage::queue_appends_max>(1, 10'000'000), "publishes",
       "Publishes waiting to be written. More: publishing is answered 503."},
      {"storage.commit_bytes_max", bytes<storage, &Storage::commit_bytes_max>(kKiB, kGiB), "bytes",
       "Payload that is written with one sync; a single larger publish is still written whole."},
      {"storage.reader_threads", number<storage, &Storage::reader_threads>(1, 64), "threads",
       "Threads that read from the disk what is no longer in memory."},
      {"storage.block_cache_bytes", bytes<storage, &Storage::block_cache_bytes>(0, kTiB), "bytes",
       "Memory for blocks that were read from the disk."},
      {"storage.memtable_bytes", bytes<storage, &Storage::memtable_bytes>(64 * kKiB, 16 * kGiB), "bytes",
       "Memory in which writes are collected before they become a table file."},
      {"storage.tail_bytes_max", bytes<storage, &Storage::tail_bytes_max>(0, kTiB), "bytes",
       "Memory for the newest messages of all topics together; reading there touches no disk."},
      {"storage.free_bytes_min", bytes<storage, &Storage::free_bytes_min>(0, kTiB), "bytes",
       "Publishing is answered 507 while the disk has less free space than this."},
      {"storage.reclaim_interval_seconds", seconds<storage, &Storage::reclaim_interval>(10, kDay * 1000), "seconds",
       "How often expired messages are taken off the disk. Readers never see them, whatever this is."},
      {"storage.reclaim_compact_bytes", bytes<storage, &Storage::reclaim_compact_bytes>(0, kTiB), "bytes",
       "When at least this much of a topic was dropped, its files are rewritten at once. 0: always."},

      {"rate_limit.management_per_minute", number<rate_limit, &RateLimit::management_per_minute>(0, 100'000'000),
       "requests per minute", "Topic management, for each token. More: 429. 0: unlimited."},
      {"rate_limit.legacy_per_minute", number<rate_limit, &RateLimit::legacy_per_minute>(0, 100'000'000),
       "requests per minute", "The legacy /api/pubsub paths, for each token. More: 429. 0: unlimited."},
      {"rate_limit.public_per_minute", number<rate_limit, &RateLimit::public_per_minute>(0, 100'000'000),
       "requests per minute", "The public publish and consume paths, for each token. More: 429. 0: unlimited."},

      {"limits.consume_messages_max", number<limits, &Limits::consume_messages_max>(1, 10'000), "messages",
       "Messages in one consume answer."},
      {"limits.batch_messages_max", number<limits, &Limits::batch_messages_max>(1, 10'000), "messages",
       "Messages in one batch publish."},
      {"limits.poll_timeout_secs_max", number<limits, &Limits::poll_timeout_secs_max>(0, 3600), "seconds",
       "The longest that a consume may wait for a message (timeout_secs)."},
      {"limits.retention_seconds_default", number<limits, &Limits::retention_seconds_default>(1, 36'500 * kDay),
       "seconds", "How long a topic keeps messages when its creator does not say."},
      {"limits.retention_seconds_max", number<limits, &Limits::retention_seconds_max>(1, 36'500 * kDay), "seconds",
       "The longest retention that a topic may have."},
      {"limits.topics_per_workspace", number<limits, &Limits::topics_per_workspace>(0, 1'000'000), "topics",
       "Topics in one workspace. 0: unlimited."},
      {"limits.message_bytes_max", bytes<limits, &Limits::message_bytes_max>(1, 256 * kMiB), "bytes",
       "One message. Larger: 413."},
      {"limits.management_body_bytes_max", bytes<limits, &Limits::management_body_bytes_max>(kKiB, 64 * kMiB), "bytes",
       "The body of a topic management request. Larger: 413."},
      {"limits.batch_body_bytes_max", bytes<limits, &Limits::batch_body_bytes_max>(kKiB, kGiB), "bytes",
       "The body of a batch publish. Larger: 413."},
      {"limits.consume_response_bytes_max", bytes<limits, &Limits::consume_response_bytes_max>(kKiB, kGiB), "bytes",
       "One consume answer ends before it passes this, with at least one message."},
      {"limits.header_bytes_max", bytes<limits, &Limits::header_bytes_max>(256, kMiB), "bytes",
       "The request line and header fields of a request. More: 431."},
      {"limits.header_fields_max", number<limits, &Limits::header_fields_max>(1, 10'000), "fields",
       "Header fields of a request. More: 431."},
      {"limits.target_bytes_max", bytes<limits, &Limits::target_bytes_max>(64, kMiB), "bytes",
       "The path and query of a request. Longer: 414."},
      {"limits.json_depth_max", number<limits, &Limits::json_depth_max>(1, 1024), "levels",
       "How deep objects and arrays of a body may be nested."},
      {"limits.schema_bytes_max", bytes<limits, &Limits::schema_bytes_max>(2, 64 * kMiB), "bytes",
       "The schema of a topic."},
      {"limits.topic_name_characters_max", number<limits, &Limits::topic_name_characters_max>(1, 1024), "characters",
       "The name of a topic."},
      {"limits.description_bytes_max", bytes<limits, &Limits::description_bytes_max>(0, 64 * kMiB), "bytes",
       "The description of a topic."},
      {"limits.polls_waiting_max", number<limits, &Limits::polls_waiting_max>(1, 10'000'000), "requests",
       "Consumes that wait for a message, all connections together. More: 503."},
      {"limits.tokens_max", number<limits, &Limits::tokens_max>(1, 1'000'000), "tokens",
       "Stored tokens, expired ones aside. More: 400."},

      {"consume.cursor_policy", Text{at<&C::consume, &C::Consume::cursor_policy>, {"strict", "lossless", "earliest"}},
       "",
       "When after_message_id has expired. strict: refused. lossless: goes on if nothing between it and the oldest "
       "kept "
       "message is missing, else refused. earliest: goes on from the oldest kept message."},

      {"publish.unknown_fields", Text{at<publish, &C::Publish::unknown_fields>, {"keep", "reject"}}, "",
       "Fields of a message that its topic's schema does not name. keep: stored as they are. reject: the message is "
       "refused."},
      {"publish.idempotency_window_seconds", seconds<publish, &C::Publish::idempotency_window>(10, 30 * kDay * 1000),
       "seconds", "How long an Idempotency-Key is remembered."},

      {"api.time_zone", Text{at<api, &C::Api::time_zone>, {}, is_time_zone, "\"-14:00\" to \"+14:00\""}, "",
       "The offset from UTC in which topics show created_at and updated_at."},
      {"api.lenient_numbers", Boolean{at<api, &C::Api::lenient_numbers>}, "",
       "Take \"5\" for 5 in the parameters of consume."},
      {"api.cors_origin",
       Text{at<api, &C::Api::cors_origin>, {}, is_cors_origin, "\"\", \"*\" or \"http(s)://HOST[:PORT]\""}, "",
       "The origin from which browsers may call. Empty: none, no CORS headers are sent."},

      {"log.level", Text{at<log, &C::Log::level>, {"trace", "debug", "info", "warn", "error", "off"}}, "",
       "The least important lines that are still written."},
      {"log.format", Text{at<log, &C::Log::format>, {"text", "json"}}, "",
       "Lines for people, or one JSON object a line."},
      {"log.access", Text{at<log, &C::Log::access>, {"off", "errors", "all"}}, "",
       "Which requests are logged: none, those answered 4xx or 5xx, or all."},
  };
}

template <class... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};
template <class... Visitors>
Overloaded(Visitors...) -> Overloaded<Visitors...>;

}  // namespace

std::span<const Row> table() {
  static const std::vector<Row> rows = make_table();
  return rows;
}

std::optional<std::string> assign(const Row& row, std::string_view text, Config& config) {
  const auto wrong = [&](std::string_view hint = {}) {
    return "must be " + bounds_text(row) + std::string(hint) + ", not " + quoted(text);
  };
  return std::visit(Overloaded{[&](const Number& number) -> std::optional<std::string> {
                                 const auto value = parse_number(text, number.notation);
                                 if (!value) return wrong(number_hint(number.notation));
                                 if (*value < number.min || *value > number.max) return wrong();
                                 number.set(config, *value);
                                 return std::nullopt;
                               },
                               [&](const Text& kind) -> std::optional<std::string> {
                                 bool fits = kind.fits != nullptr && kind.fits(text);
                                 for (const std::string_view choice : kind.choices) fits = fits || choice == text;
                                 if (!fits) return wrong();
                                 kind.at(config) = text;
                                 return std::nullopt;
                               },
                               [&](const Boolean& kind) -> std::optional<std::string> {
                                 if (text != "true" && text != "false") return wrong();
                                 kind.at(config) = text == "true";
                                 return std::nullopt;
                               }},
                    row.kind);
}

std::string default_text(const Row& row) {
  Config defaults;
  return std::visit(
      Overloaded{[&](const Number& number) { return number_text(number.get(defaults), number.notation); },
                 [&](const Text& kind) { return '"' + kind.at(defaults) + '"'; },
                 [&](const Boolean& kind) -> std::string { return kind.at(defaults) ? "true" : "false"; }},
      row.kind);
}

std::string bounds_text(const Row& row) {
  return std::visit(Overloaded{[](const Number& number) {
                                 return bound_text(number.min, number.notation) + " to " +
                                        bound_text(number.max, number.notation);
                               },
                               [](const Text& kind) {
                                 std::string text(kind.bounds);
                                 for (const std::string_view choice : kind.choices) {
                                   if (!text.empty()) text += " | ";
                                   text += choice;
                                 }
                                 return text;
                               },
                               [](const Boolean&) -> std::string { return "true | false"; }},
                    row.kind);
}

}  // namespace weir::config
