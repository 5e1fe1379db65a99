#include <algorithm>
#include <cctype>
#include <deque>
#include <utility>

#include "scenarios.h"

namespace weir::bench {

const char* const kPollsHelp =
    R"(weir_bench_client polls --port PORT --plan FILE [--polls 10000] [--publishers 16]
  Opens a connection for each poll, sends its request and asks for the server's status until all are parked:
    {"event":"parked","polls":…,"seconds":…,"client_cpu_seconds":…}
  Waits for the line "go", publishes one message on each topic and takes the time until every body is whole and right:
    {"event":"woken","seconds":…,"publishes":…,"wake_p50_ms":…,…,"client_cpu_seconds":…}
  Waits for the line "end", and makes sure that no poll was answered twice.
  FILE has records "KEY LENGTH\n" + LENGTH bytes + "\n": once `status` (a request) and `parked` (what its answer has,
  followed by no digit, when all are parked); then for each topic `subscribe` and `publish` (requests), `answer` and
  `body` (what the body of the publish's and of the poll's answer must be; byte 1 stands for any text without '"', and
  the first of both must be the same; an empty `answer` is any). Poll i is on topic i modulo their number.
)";

namespace {

constexpr std::uint64_t kParkNsMax = 60'000'000'000;
constexpr std::uint64_t kWakeNsMax = 60'000'000'000;
constexpr int kStatusEveryMs = 1;

enum Kind : std::uint32_t { kPoll, kPublisher, kStatus };

struct Topic {
  std::string subscribe;
  std::string publish;
  std::string answer;
  std::string body;
  std::string id;  // what the first wildcard stood for, in the first answer that had it
};

struct Plan {
  std::string status;
  std::string parked;
  std::vector<Topic> topics;
};

Plan load_plan(const std::string& path) {
  Plan plan;
  for (PlanRecord& record : read_plan(path)) {
    if (record.key == "subscribe") plan.topics.emplace_back();
    if (record.key == "status") {
      plan.status = std::move(record.text);
    } else if (record.key == "parked") {
      plan.parked = std::move(record.text);
    } else if (plan.topics.empty()) {
      fail("%s: \"%s\" before the first \"subscribe\"", path.c_str(), record.key.c_str());
    } else if (record.key == "subscribe") {
      plan.topics.back().subscribe = std::move(record.text);
    } else if (record.key == "publish") {
      plan.topics.back().publish = std::move(record.text);
    } else if (record.key == "answer") {
      plan.topics.back().answer = std::move(record.text);
    } else if (record.key == "body") {
      plan.topics.back().body = std::move(record.text);
    } else {
      fail("%s: unknown record \"%s\"", path.c_str(), record.key.c_str());
    }
  }
  if (plan.topics.empty() || plan.status.empty() || plan.parked.empty()) fail("%s is not whole", path.c_str());
  return plan;
}

class Polls {
 public:
  Polls(std::uint16_t port, Plan plan, std::size_t polls, std::size_t publishers)
      : plan_(std::move(plan)), poller_(port), polls_(polls), publishers_(publishers) {}

  void park() {
    poller_.connect(status_);
    status_.kind = kStatus;
    for (std::size_t i = 0; i < publishers_.size(); ++i) {
      publishers_[i].kind = kPublisher;
      poller_.connect(publishers_[i]);
    }
    const std::uint64_t begin = now_ns();
    const double cpu = cpu_seconds();
    for (std::size_t i = 0; i < polls_.size(); ++i) {
      polls_[i].kind = kPoll;
      polls_[i].index = static_cast<std::uint32_t>(i % plan_.topics.size());
      poller_.connect(polls_[i]);
      Poller::send(polls_[i], plan_.topics[polls_[i].index].subscribe);
    }
    while (!all_parked()) {
      if (now_ns() - begin > kParkNsMax) fail("not all polls were parked in time: %s", last_status_.c_str());
      if (!poller_.wait(kStatusEveryMs).empty()) fail("a poll was answered before anything was published");
    }
    report(R"({"event":"parked","polls":%zu,"seconds":%.6f,"client_cpu_seconds":%.6f})", polls_.size(),
           seconds_since(begin), cpu_seconds() - cpu);
  }

  void wake() {
    Histogram latency;
    begin_ = now_ns();
    const double cpu = cpu_seconds();
    for (Connection& publisher : publishers_) publish_next(publisher);
    while (woken_ < polls_.size() || published_ < plan_.topics.size()) {
      const auto& events = poller_.wait(1000);
      if (now_ns() - begin_ > kWakeNsMax) fail("%zu of %zu polls were woken in time", woken_, polls_.size());
      for (const epoll_event& event : events) {
        Connection& connection = *static_cast<Connection*>(event.data.ptr);
        if (!poller_.receive(connection)) continue;
        if (connection.kind == kPoll) {
          latency.record(now_ns() - begin_);
          take_body(connection);
        } else {
          take_answer(connection);
        }
      }
    }
    const double seconds = seconds_since(begin_);
    report(R"({"event":"woken","seconds":%.6f,"publishes":%zu,"publish_last_ms":%.3f,%s,"client_cpu_seconds":%.6f})",
           seconds, published_, static_cast<double>(last_answer_ns_) / 1e6, quantiles_json("wake", latency).c_str(),
           cpu_seconds() - cpu);
  }

  void end() {
    for (Connection& poll : polls_) {
      poller_.expect_silence(poll);
      Poller::close(poll);
    }
  }

 private:
  static double seconds_since(std::uint64_t begin) { return static_cast<double>(now_ns() - begin) / 1e9; }

  /// Asks once and waits for the answer.
  bool all_parked() {
    Poller::send(status_, plan_.status);
    for (;;) {
      for (const epoll_event& event : poller_.wait(-1)) {
        Connection& connection = *static_cast<Connection*>(event.data.ptr);
        if (connection.kind != kStatus) {
          if (poller_.receive(connection))
            fail("answered before anything was published: %.200s", std::string(connection.reader.body()).c_str());
        } else if (poller_.receive(connection)) {
          last_status_ = connection.reader.body();
          const std::size_t at = last_status_.find(plan_.parked);
          if (at == std::string::npos) return false;
          const std::size_t behind = at + plan_.parked.size();
          return behind == last_status_.size() || std::isdigit(static_cast<unsigned char>(last_status_[behind])) == 0;
        }
      }
    }
  }

  void publish_next(Connection& publisher) {
    if (next_topic_ == plan_.topics.size()) return;
    publisher.index = static_cast<std::uint32_t>(next_topic_++);
    Poller::send(publisher, plan_.topics[publisher.index].publish);
  }

  void take_body(const Connection& poll) {
    Topic& topic = plan_.topics[poll.index];
    std::string_view id;
    if (poll.reader.status() != 200 || !matches(topic.body, poll.reader.body(), id))
      fail("a poll got a wrong answer: %d %.300s", poll.reader.status(), std::string(poll.reader.body()).c_str());
    expect_id(topic, id);
    ++woken_;  // that none is counted twice: AnswerReader for what comes with it, end() for what comes later
  }

  void take_answer(Connection& publisher) {
    Topic& topic = plan_.topics[publisher.index];
    std::string_view id;
    const int status = publisher.reader.status();
    if (status < 200 || status > 299 || (!topic.answer.empty() && !matches(topic.answer, publisher.reader.body(), id)))
      fail("a publish was answered: %d %.300s", status, std::string(publisher.reader.body()).c_str());
    if (!topic.answer.empty()) expect_id(topic, id);
    last_answer_ns_ = now_ns() - begin_;
    ++published_;
    publish_next(publisher);
  }

  static void expect_id(Topic& topic, std::string_view id) {
    if (topic.id.empty()) topic.id = id;
    if (topic.id != id) fail("message %s was answered with the id %s", topic.id.c_str(), std::string(id).c_str());
  }

  Plan plan_;
  Poller poller_;
  Connection status_;
  std::vector<Connection> polls_;
  std::vector<Connection> publishers_;
  std::string last_status_;
  std::uint64_t begin_ = 0;
  std::uint64_t last_answer_ns_ = 0;
  std::size_t next_topic_ = 0;
  std::size_t published_ = 0;
  std::size_t woken_ = 0;
};

}  // namespace

void run_polls(Options options) {
  const auto port = static_cast<std::uint16_t>(options.number("port", 0));
  Plan plan = load_plan(options.text("plan"));
  const std::size_t polls = options.number("polls", 10'000);
  const std::size_t publishers = std::min<std::size_t>(options.number("publishers", 16), plan.topics.size());
  options.expect_no_more();
  Polls scenario(port, std::move(plan), polls, publishers);
  scenario.park();
  await_word("go");
  scenario.wake();
  await_word("end");
  scenario.end();
}

}  // namespace weir::bench
