// nats_library_publish PORT CONNECTIONS SUBJECT MESSAGE SECONDS: what nats_publish does, by NATS's own C library: a
// connection and a thread for each publisher, which calls js_Publish and waits. It is what a program would do that
// wants each message stored before it goes on; its threads take much of the machine. Prints one line of JSON (see
// tests/bench/loads.py).
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include <nats/nats.h>

namespace {

using Clock = std::chrono::steady_clock;

void check(natsStatus status, const char* what) {
  if (status == NATS_OK) return;
  std::fprintf(stderr, "nats_library_publish: %s: %s\n", what, natsStatus_GetText(status));
  std::exit(1);
}

struct Publisher {
  natsConnection* connection = nullptr;
  jsCtx* stream = nullptr;
  std::vector<unsigned> microseconds;
  std::size_t failed = 0;

  void run(const std::string& subject, const std::string& message, Clock::time_point end) {
    for (auto sent = Clock::now(); sent < end;) {
      if (js_Publish(nullptr, stream, subject.c_str(), message.data(), static_cast<int>(message.size()), nullptr,
                     nullptr) != NATS_OK) {
        ++failed;
      }
      const auto now = Clock::now();
      microseconds.push_back(
          static_cast<unsigned>(std::chrono::duration_cast<std::chrono::microseconds>(now - sent).count()));
      sent = now;
    }
  }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr, "usage: nats_library_publish PORT CONNECTIONS SUBJECT MESSAGE SECONDS\n");
    return 1;
  }
  const std::string url = std::string("nats://127.0.0.1:") + argv[1];
  const std::string subject = argv[3];
  const std::string message = argv[4];
  std::vector<Publisher> publishers(std::stoul(argv[2]));
  for (Publisher& publisher : publishers) {
    check(natsConnection_ConnectTo(&publisher.connection, url.c_str()), "connect");
    check(natsConnection_JetStream(&publisher.stream, publisher.connection, nullptr), "JetStream");
  }
  const auto begin = Clock::now();
  const auto end =
      begin + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(std::atof(argv[5])));
  std::vector<std::thread> threads;
  for (Publisher& publisher : publishers) threads.emplace_back([&] { publisher.run(subject, message, end); });
  for (std::thread& thread : threads) thread.join();
  const auto elapsed = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begin).count();

  std::vector<unsigned> all;
  std::size_t failed = 0;
  for (Publisher& publisher : publishers) {
    all.insert(all.end(), publisher.microseconds.begin(), publisher.microseconds.end());
    failed += publisher.failed;
    jsCtx_Destroy(publisher.stream);
    natsConnection_Destroy(publisher.connection);
  }
  nats_Close();
  std::sort(all.begin(), all.end());
  const auto percentile = [&all](double share) {
    return all[static_cast<std::size_t>(share * static_cast<double>(all.size() - 1))];
  };
  std::printf("{\"requests\":%zu,\"microseconds\":%lld,\"p50_us\":%u,\"p99_us\":%u,\"p999_us\":%u,\"failed\":%zu}\n",
              all.size(), static_cast<long long>(elapsed), percentile(0.5), percentile(0.99), percentile(0.999),
              failed);
}
