#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <utility>

#include <sys/timerfd.h>
#include <unistd.h>

#include "scenarios.h"

namespace weir::bench {

const char* const kMixedHelp =
    R"(weir_bench_client mixed --port PORT --token TOKEN --topics ID,ID,… --idle-topic ID [--publishers 50]
    [--consumers 50] [--idle 5000] [--rate 10000] [--seconds 60] [--warm-up-seconds 1] [--message-bytes 200]
  Publisher i and consumer i are on topic i modulo their number. A consumer follows its topic by a long poll with the id
  of the last message that it got, and must see every message once and in order; the idle polls wait on a topic of their
  own, 20 to 50 seconds at a time. --rate is of all publishers together: each message has a time at which it is meant to
  be sent, and latencies count from there also when the publisher was still busy. 0: as fast as answers come.
  Prints {"event":"connected"}, waits for the line "go", prints {"event":"measuring"} after the warm-up,
  {"event":"measured"} after --seconds, and when the consumers have all:
    {"event":"done","published":…,"received":…,"publish_p50_ms":…,…,"deliver_p50_ms":…,…,"client_cpu_seconds":…}
  `published` and the latencies are of the messages meant to be sent (--rate 0: sent) within the seconds measured.
)";

namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kDrainNsMax = 20 * kSecond;
constexpr std::uint32_t kTimerNsMin = 50'000;  // ticks that are closer are sent several at a time
constexpr unsigned kConsumeSeconds = 30;
constexpr unsigned kIdleSecondsMin = 20;  // spread, so that they do not all come back in the same moment
constexpr unsigned kIdleSecondsSpread = 31;

enum Kind : std::uint32_t { kPublisher, kConsumer, kIdle };

struct Settings {
  std::string token;
  std::vector<std::string> topics;
  std::string idle_topic;
  std::size_t publishers = 0;
  std::size_t consumers = 0;
  std::size_t idle = 0;
  std::uint64_t rate = 0;
  std::uint64_t seconds = 0;
  std::uint64_t warm_up_seconds = 0;
  std::size_t message_bytes = 0;
};

/// The messages all have the same length: numbers at fixed places, so that a message is checked byte by byte.
class MessageText {
 public:
  struct Numbers {
    std::uint64_t publisher = 0;
    std::uint64_t sequence = 0;
    std::uint64_t time_ns = 0;
  };

  explicit MessageText(std::size_t bytes) {
    constexpr std::string_view kBegin = R"({"OrderId":")";
    constexpr std::string_view kEnd =
        R"(","Quantity":3,"Price":129.5,"Express":true,"PlacedAt":"2026-03-02T08:15:30.042+00:00"})";
    const std::size_t least = kBegin.size() + kNumberBytes + kEnd.size();
    if (bytes < least) fail("--message-bytes: at least %zu", least);
    numbers_at_ = kBegin.size();
    behind_numbers_ = std::string(bytes - least, 'A').append(kEnd);
    text_.append(kBegin).append(kNumberBytes, '-').append(behind_numbers_);
  }

  const std::string& write(const Numbers& numbers) {
    write_number(0, 5, numbers.publisher);
    write_number(6, 12, numbers.sequence);
    write_number(19, 19, numbers.time_ns);
    return text_;
  }

  /// False if `text` does not begin with a message.
  bool read(std::string_view text, Numbers& numbers) const {
    if (text.size() < text_.size()) return false;
    const auto number = [&](std::size_t at, std::size_t digits, std::uint64_t& value) {
      const char* const first = text.data() + numbers_at_ + at;
      const auto [end, error] = std::from_chars(first, first + digits, value);
      return error == std::errc() && end == first + digits && *end == '-';
    };
    return text.starts_with(std::string_view(text_).substr(0, numbers_at_)) && number(0, 5, numbers.publisher) &&
           number(6, 12, numbers.sequence) && number(19, 19, numbers.time_ns) &&
           text.substr(numbers_at_ + kNumberBytes).starts_with(behind_numbers_);
  }
  std::size_t size() const { return text_.size(); }

 private:
  static constexpr std::size_t kNumberBytes = 5 + 1 + 12 + 1 + 19 + 1;

  void write_number(std::size_t at, std::size_t digits, std::uint64_t value) {
    for (std::size_t i = digits; i-- > 0; value /= 10)
      text_[numbers_at_ + at + i] = static_cast<char>('0' + value % 10);
  }

  std::size_t numbers_at_ = 0;
  std::string behind_numbers_;
  std::string text_;
};

struct Publisher {
  Connection connection;
  std::size_t topic = 0;
  std::uint64_t due = 0;   // messages that should have been sent by now
  std::uint64_t sent = 0;  // the last one is under way if `busy`
  std::uint64_t time_ns = 0;
  bool busy = false;
};

struct Consumer {
  Connection connection;
  std::size_t topic = 0;
  std::vector<std::uint64_t> next;  // of each publisher of the topic: the sequence that must come next
  std::uint64_t received = 0;
  std::string cursor;  // the id of the last message that it got
};

class Mixed {
 public:
  Mixed(std::uint16_t port, Settings settings)
      : settings_(std::move(settings)),
        message_(settings_.message_bytes),
        poller_(port),
        publishers_(settings_.publishers),
        consumers_(settings_.consumers),
        idle_(settings_.idle) {
    publish_head_ = "Authorization: Bearer " + settings_.token +
                    "\r\nContent-Type: application/json\r\nHost: 127.0.0.1\r\nContent-Length: ";
  }

  void connect() {
    const std::size_t topics = settings_.topics.size();
    for (std::size_t i = 0; i < publishers_.size(); ++i) {
      publishers_[i].topic = i % topics;
      add(publishers_[i].connection, kPublisher, i);
    }
    for (std::size_t i = 0; i < consumers_.size(); ++i) {
      consumers_[i].topic = i % topics;
      consumers_[i].next.resize((publishers_.size() + topics - 1 - consumers_[i].topic) / topics);
      add(consumers_[i].connection, kConsumer, i);
      consume(consumers_[i]);
    }
    for (std::size_t i = 0; i < idle_.size(); ++i) {
      add(idle_[i], kIdle, i);
      wait_idly(idle_[i]);
    }
    report(R"({"event":"connected"})");
  }

  void run() {
    const int timer = start();
    measure_ns_ = begin_ns_ + settings_.warm_up_seconds * kSecond;
    end_ns_ = measure_ns_ + settings_.seconds * kSecond;
    bool measuring = false;
    double cpu = 0;
    for (;;) {
      const auto& events = poller_.wait(settings_.rate == 0 ? 100 : 1000);
      const std::uint64_t now = now_ns();
      if (!measuring && now >= measure_ns_) {
        measuring = true;
        cpu = cpu_seconds();
        report(R"({"event":"measuring"})");
      }
      if (now >= end_ns_) break;
      if (timer >= 0) send_due(now);
      for (const epoll_event& event : events) {
        if (event.data.ptr == nullptr) {
          std::uint64_t ticks = 0;
          if (read(timer, &ticks, sizeof ticks) < 0 && errno != EAGAIN) fail("timerfd: %s", std::strerror(errno));
        } else {
          take(*static_cast<Connection*>(event.data.ptr));
        }
      }
    }
    cpu = cpu_seconds() - cpu;
    report(R"({"event":"measured"})");
    if (timer >= 0) {
      close(timer);
      send_due(end_ns_ - 1);
    }
    drain();
    report(R"({"event":"done","published":%llu,"received":%llu,"published_in_all":%llu,"received_in_all":%llu,)"
           R"("empty_answers":%llu,%s,%s,"client_cpu_seconds":%.6f})",
           llu(publish_latency_.count()), llu(deliver_latency_.count()), llu(published_), llu(received_),
           llu(empty_answers_), quantiles_json("publish", publish_latency_).c_str(),
           quantiles_json("deliver", deliver_latency_).c_str(), cpu);
  }

 private:
  static unsigned long long llu(std::uint64_t value) { return value; }

  void add(Connection& connection, Kind kind, std::size_t index) {
    connection.kind = kind;
    connection.index = static_cast<std::uint32_t>(index);
    poller_.connect(connection);
  }

  /// Begins to publish. Returns the timer of a paced run, or -1.
  int start() {
    begin_ns_ = now_ns();
    if (settings_.rate == 0) {
      for (Publisher& publisher : publishers_) {
        publisher.due = ~std::uint64_t{0};
        publish(publisher);
      }
      return -1;
    }
    const int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (timer < 0) fail("timerfd_create: %s", std::strerror(errno));
    itimerspec times{};
    times.it_interval.tv_nsec = static_cast<long>(std::max<std::uint64_t>(kTimerNsMin, kSecond / settings_.rate));
    if (settings_.rate == 1) times.it_interval = {1, 0};
    times.it_value.tv_nsec = 1;
    if (timerfd_settime(timer, 0, &times, nullptr) != 0) fail("timerfd_settime: %s", std::strerror(errno));
    poller_.watch(timer);
    return timer;
  }

  /// The time at which tick `number` is meant to be sent; the ticks go round the publishers.
  std::uint64_t tick_ns(std::uint64_t number) const {
    // In two steps: number * kSecond would overflow after some hours at high rates.
    return begin_ns_ + number / settings_.rate * kSecond + number % settings_.rate * kSecond / settings_.rate;
  }

  void send_due(std::uint64_t now) {
    for (; tick_ns(next_tick_) <= now; ++next_tick_) {
      Publisher& publisher = publishers_[next_tick_ % publishers_.size()];
      ++publisher.due;
      if (!publisher.busy) publish(publisher);
    }
  }

  void publish(Publisher& publisher) {
    publisher.time_ns =
        settings_.rate == 0 ? now_ns() : tick_ns(publisher.sent * publishers_.size() + publisher.connection.index);
    const std::string& message = message_.write({publisher.connection.index, publisher.sent, publisher.time_ns});
    request_.assign("POST /api/v1/topics/").append(settings_.topics[publisher.topic]).append("/publish HTTP/1.1\r\n");
    request_.append(publish_head_).append(std::to_string(message.size())).append("\r\n\r\n").append(message);
    publisher.busy = true;
    ++publisher.sent;
    Poller::send(publisher.connection, request_);
  }

  void ask(const Connection& connection, const std::string& topic, std::string_view body) {
    request_.assign("POST /api/v1/topics/").append(topic).append("/consume HTTP/1.1\r\n");
    request_.append(publish_head_).append(std::to_string(body.size())).append("\r\n\r\n").append(body);
    Poller::send(connection, request_);
  }

  void consume(const Consumer& consumer) {
    body_ = R"({"timeout_secs":)" + std::to_string(kConsumeSeconds);
    if (!consumer.cursor.empty()) body_.append(R"(,"after_message_id":")").append(consumer.cursor).append("\"");
    ask(consumer.connection, settings_.topics[consumer.topic], body_ += "}");
  }

  void wait_idly(const Connection& connection) {
    body_ = R"({"timeout_secs":)" + std::to_string(kIdleSecondsMin + connection.index % kIdleSecondsSpread) + "}";
    ask(connection, settings_.idle_topic, body_);
  }

  void take(Connection& connection) {
    if (!poller_.receive(connection)) return;
    const std::string_view body = connection.reader.body();
    if (connection.reader.status() != 200)
      fail("answered %d: %.300s", connection.reader.status(), std::string(body).c_str());
    switch (connection.kind) {
      case kPublisher: take_published(publishers_[connection.index], body); break;
      case kConsumer: take_page(consumers_[connection.index], body); break;
      default:
        if (body != R"({"messages":[]})") fail("an idle poll got %.300s", std::string(body).c_str());
        if (!draining_) wait_idly(connection);
    }
  }

  void take_published(Publisher& publisher, std::string_view body) {
    std::string_view id;
    if (!matches("{\"message_id\":\"\x01\"}", body, id))
      fail("a publish was answered with %.300s", std::string(body).c_str());
    publisher.busy = false;
    ++published_;
    if (is_measured(publisher.time_ns)) publish_latency_.record(now_ns() - publisher.time_ns);
    // Paced: what was due is sent also after the end, or the slowest messages would not be counted.
    if (publisher.sent < publisher.due && (!draining_ || settings_.rate != 0)) publish(publisher);
  }

  void take_page(Consumer& consumer, std::string_view body) {
    const std::uint64_t now = now_ns();
    const std::string_view page = body;
    const auto expect = [&](std::string_view text) {
      if (!body.starts_with(text)) fail("a consumer got a wrong page: %.600s", std::string(page).c_str());
      body.remove_prefix(text.size());
    };
    const auto up_to_quote = [&] {
      const std::string_view text = body.substr(0, body.find('"'));
      body.remove_prefix(text.size());
      return text;
    };
    std::string_view last;
    expect(R"({"messages":[)");
    while (!body.starts_with(']')) {
      if (!last.empty()) expect(",");
      expect(R"({"message_id":")");
      last = up_to_quote();
      expect(R"(","payload":)");
      MessageText::Numbers numbers;
      if (!message_.read(body, numbers)) fail("a consumer got a wrong message: %.600s", std::string(body).c_str());
      body.remove_prefix(message_.size());
      expect(R"(,"time":")");
      up_to_quote();
      expect(R"("})");
      count(consumer, numbers, now);
    }
    expect("]}");
    if (!body.empty()) expect("nothing more");
    if (last.empty()) ++empty_answers_;
    if (!last.empty()) consumer.cursor = last;
    consume(consumer);
  }

  void count(Consumer& consumer, const MessageText::Numbers& numbers, std::uint64_t now) {
    const std::size_t topics = settings_.topics.size();
    if (numbers.publisher >= publishers_.size() || numbers.publisher % topics != consumer.topic)
      fail("consumer %u got a message of publisher %llu", consumer.connection.index, llu(numbers.publisher));
    std::uint64_t& next = consumer.next[numbers.publisher / topics];
    if (numbers.sequence != next) {
      fail("consumer %u got message %llu of publisher %llu, not %llu", consumer.connection.index, llu(numbers.sequence),
           llu(numbers.publisher), llu(next));
    }
    ++next;
    ++consumer.received;
    ++received_;
    if (is_measured(numbers.time_ns)) deliver_latency_.record(now - numbers.time_ns);
  }

  bool is_measured(std::uint64_t time_ns) const { return time_ns >= measure_ns_ && time_ns < end_ns_; }

  /// Lets the publishers get their last answers, and the consumers all that was published.
  void drain() {
    draining_ = true;
    const std::uint64_t deadline = now_ns() + kDrainNsMax;
    while (!is_drained()) {
      if (now_ns() > deadline) {
        fail("not all was published and received %llu s after the end: %llu and %llu messages",
             llu(kDrainNsMax / kSecond), llu(published_), llu(received_));
      }
      for (const epoll_event& event : poller_.wait(100)) take(*static_cast<Connection*>(event.data.ptr));
    }
  }

  bool is_drained() const {
    std::vector<std::uint64_t> published(settings_.topics.size());
    for (const Publisher& publisher : publishers_) {
      if (publisher.busy || (settings_.rate != 0 && publisher.sent < publisher.due)) return false;
      published[publisher.topic] += publisher.sent;
    }
    return std::all_of(consumers_.begin(), consumers_.end(),
                       [&](const Consumer& consumer) { return consumer.received == published[consumer.topic]; });
  }

  const Settings settings_;
  MessageText message_;
  Poller poller_;
  std::vector<Publisher> publishers_;
  std::vector<Consumer> consumers_;
  std::vector<Connection> idle_;
  std::string publish_head_;
  std::string request_;
  std::string body_;
  std::uint64_t begin_ns_ = 0;
  std::uint64_t measure_ns_ = ~std::uint64_t{0};
  std::uint64_t end_ns_ = ~std::uint64_t{0};
  std::uint64_t next_tick_ = 0;
  bool draining_ = false;
  std::uint64_t published_ = 0;
  std::uint64_t received_ = 0;
  std::uint64_t empty_answers_ = 0;
  Histogram publish_latency_;
  Histogram deliver_latency_;
};

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

}  // namespace

void run_mixed(Options options) {
  const auto port = static_cast<std::uint16_t>(options.number("port", 0));
  Settings settings;
  settings.token = options.text("token");
  settings.topics = split(options.text("topics"));
  settings.idle_topic = options.text("idle-topic");
  settings.publishers = options.number("publishers", 50);
  settings.consumers = options.number("consumers", 50);
  settings.idle = options.number("idle", 5000);
  settings.rate = options.number("rate", 10'000);
  settings.seconds = options.number("seconds", 60);
  settings.warm_up_seconds = options.number("warm-up-seconds", 1);
  settings.message_bytes = options.number("message-bytes", 200);
  options.expect_no_more();
  Mixed scenario(port, std::move(settings));
  scenario.connect();
  await_word("go");
  scenario.run();
}

}  // namespace weir::bench
