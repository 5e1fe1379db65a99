// What the loop owes to edge-triggered events: none is lost, none reaches what is gone, nobody takes the loop for
// himself.
#include <atomic>

#include "http/loop.h"
#include "support.h"
#include "support/fake_clock.h"

namespace weir::http::test {
namespace {

/// Keeps loop 0 from looking at its sockets, so that what happens meanwhile comes in one round.
class Blocked {
 public:
  explicit Blocked(Server& server) {
    server.loops()[0]->post([this, released = release_.get_future().share()] {
      blocked_.set_value();
      released.wait();
    });
    blocked_.get_future().wait();
  }
  ~Blocked() { release_.set_value(); }

 private:
  std::promise<void> blocked_;
  std::promise<void> release_;
};

TEST(Events, OfAConnectionThatWasClosedEarlierInTheRoundAreIgnored) {
  SystemClock clock;
  SystemRandom random;
  auto bound = Server::bind({.listen = "127.0.0.1:0"}, clock, random);
  ASSERT_TRUE(bound);
  Server& server = *bound.value();
  std::vector<Responder> parked;  // on the loop
  Counter parked_count;
  std::vector<Route> routes;
  routes.push_back({Method::get, "/wait", 0, [&](const RequestHead&) -> Admission {
                      return Accepted{[&](std::string, Responder r) {
                        parked.push_back(std::move(r));
                        parked_count.add();
                      }};
                    }});
  routes.push_back({Method::get, "/close", 0, [&](const RequestHead&) -> Admission {
                      return Accepted{[&](std::string, Responder r) {
                        for (Responder& other : parked) std::move(other).send({.body = "bye", .close = true});
                        parked.clear();
                        std::move(r).send({.body = "done"});
                      }};
                    }});
  server.start(std::move(routes));
  for (int round = 0; round < 20; ++round) {
    std::vector<std::unique_ptr<Client>> waiting;
    for (int i = 0; i < 10; ++i) {
      waiting.push_back(std::make_unique<Client>(server.address()));
      waiting.back()->send(get("/wait"));
    }
    ASSERT_TRUE(parked_count.wait_for((round + 1) * 10));
    Client closing(server.address());
    {
      const Blocked blocked(server);
      closing.send(get("/close"));
      // Behind it in the same round: each of them has something to tell.
      for (const auto& client : waiting) client->shut_sending();
    }
    ASSERT_EQ(closing.read_answer().body, "done");
    for (const auto& client : waiting) {
      ASSERT_EQ(client->read_answer().body, "bye");
      ASSERT_TRUE(client->closed_by_server());
    }
  }
  server.stop();
}

TEST(Events, AreNotMissedWhenAReadExactlyFillsItsBuffer) {
  constexpr std::size_t kBlock = 17 * 1024;  // of a loop with the default header_bytes_max
  for (const std::size_t size : {kBlock - 1, kBlock, kBlock + 1, 2 * kBlock, 2 * kBlock + 1, 3 * kBlock, 5 * kBlock}) {
    for (const bool end : {false, true}) {
      TestServer server;
      Client client(server.address());
      ASSERT_EQ(client.ask(get("/ping")).status, 200);
      std::string bytes;
      int requests = 0;
      for (const std::string ping = get("/ping"); size - bytes.size() > ping.size() + 100; ++requests) bytes += ping;
      const std::size_t fill = size - bytes.size() - get("/ping", "X: \r\n").size();
      bytes += get("/ping", "X: " + std::string(fill, 'x') + "\r\n");
      ASSERT_EQ(bytes.size(), size);
      ++requests;
      {
        const Blocked blocked(*server);
        client.send(bytes);
        if (end) client.shut_sending();
      }
      for (int i = 0; i < requests; ++i) ASSERT_EQ(client.read_answer().body, "pong") << size;
      if (end) {
        EXPECT_TRUE(client.closed_by_server()) << size;
      } else {
        EXPECT_EQ(client.ask(get("/ping")).status, 200) << size;
      }
    }
  }
}

TEST(Events, AreNotMissedWhenAReadExactlyFillsABody) {
  TestServer server;
  Client client(server.address());
  for (const std::size_t size : {std::size_t{64 * 1024}, std::size_t{128 * 1024}, std::size_t{512 * 1024}}) {
    const std::string request = post("/big", std::string(size, 'b'));
    const std::size_t head = request.size() - size;
    client.send(request.substr(0, head));
    server.on_loop([] {});  // the head is read by itself, the body into its own buffer
    {
      const Blocked blocked(*server);
      client.send(request.substr(head));
    }
    EXPECT_EQ(client.read_answer().body, std::to_string(size));
  }
}

// The answers before it, and the 100 that asks for the body, are more than the client takes; and then the body comes.
TEST(Events, ABodyThatComesWhileEarlierAnswersAreOnTheirWayIsRead) {
  SystemClock clock;
  SystemRandom random;
  auto bound = Server::bind({.listen = "127.0.0.1:0"}, clock, random);
  ASSERT_TRUE(bound);
  Server& server = *bound.value();
  std::vector<Route> routes;
  routes.push_back({Method::get, "/bytes/:n", 0, [](const RequestHead& head) -> Admission {
                      return Response{.body = std::string(std::stoul(head.captures.at(0)), 'x')};
                    }});
  routes.push_back({Method::post, "/size", 1 << 20, [](const RequestHead&) -> Admission {
                      return Accepted{[](std::string body, Responder r) {
                        std::move(r).send({.body = std::to_string(body.size())});
                      }};
                    }});
  server.start(std::move(routes));
  const auto ask = [](std::size_t bytes) { return get("/bytes/" + std::to_string(bytes), "X-Request-Id: i\r\n"); };
  constexpr std::size_t kCoalesced = 256 * 1024;  // answers to pipelined requests are sent when they are more than this
  // How much the kernel takes is its own affair: with some number of answers before, the last lot is taken in part.
  for (int lots_before = 0; lots_before < 15; ++lots_before) {
    Client client(server.address(), 4096);
    const std::size_t head = client.ask(ask(10'000)).head.size();
    std::string requests;
    for (int lot = 0; lot < lots_before; ++lot) {
      for (std::size_t bytes = 0; bytes <= kCoalesced; bytes += head + 30'000) requests += ask(30'000);
    }
    std::size_t left = kCoalesced;  // exactly: only the 100 is too much
    for (; left > 30'000; left -= head + 15'000) requests += ask(15'000);
    requests += ask(left - head);
    requests += "POST /size HTTP/1.1\r\nHost: t\r\nContent-Length: 20000\r\nExpect: 100-continue\r\n\r\n";
    ASSERT_LT(requests.size(), 17U * 1024) << "all must come with one read";
    {
      const Blocked blocked(server);
      client.send(requests);
    }
    std::promise<void> handled;
    server.loops()[0]->post([&] { handled.set_value(); });
    handled.get_future().wait();
    client.send(std::string(20'000, 'y'));
    Answer answer;
    do {
      answer = client.read_answer();
    } while (answer.status == 100 || answer.body.size() > 5);
    ASSERT_EQ(answer.body, "20000") << lots_before;
  }
  server.stop();
}

TEST(Events, UrgentDataEndsTheConnection) {
  TestServer server;
  Client client(server.address());
  ASSERT_EQ(client.ask(get("/ping")).status, 200);
  client.send_urgent('!');
  EXPECT_TRUE(client.closed_by_server());
}

TEST(Fairness, AStreamOfPipelinedRequestsLetsOthersIn) {
  TestServer server;
  const std::string ping = get("/smuggled");
  constexpr int kRequests = 3000;
  std::string stream;
  for (int i = 0; i < kRequests; ++i) stream += ping;
  Client greedy(server.address());
  Client modest(server.address());
  ASSERT_EQ(greedy.ask(get("/ping")).status, 200);
  ASSERT_EQ(modest.ask(get("/ping")).status, 200);
  {
    const Blocked blocked(*server);
    ASSERT_TRUE(greedy.send(stream));
    modest.send(get("/smuggled/count"));
  }
  // Both wait when the round begins, the greedy one first: it gets one turn, not all it has.
  const Answer answer = modest.read_answer();
  ASSERT_EQ(answer.status, 200);
  EXPECT_LT(std::stoi(answer.body), kRequests / 2);
  for (int i = 0; i < kRequests; ++i) ASSERT_EQ(greedy.read_answer().body, "smuggled");
}

TEST(Fairness, TasksThatPostThemselvesLetConnectionsAndTimersIn) {
  ServerOptions options;
  options.idle_timeout = 60ms;
  TestServer server(options);
  std::atomic<bool> stop{false};
  struct Storm {
    Loop* loop;
    std::atomic<bool>* stop;
    void operator()() const {
      if (!*stop) loop->post(Storm{*this});
    }
  };
  for (int i = 0; i < 10; ++i) server->loops()[0]->post(Storm{server->loops()[0], &stop});
  Client client(server.address());
  for (int i = 0; i < 50; ++i) ASSERT_EQ(client.ask(get("/ping")).body, "pong");
  EXPECT_TRUE(client.closed_by_server());
  stop = true;
}

// The hook and the timers have their turn however long it goes on: by the clock, not by a number of tasks.
TEST(Fairness, ARoundWithAHookEndsInTime) {
  weir::test::FakeClock clock;
  LoopImpl loop(0, clock);
  int tasks = 0;
  int most = 0;
  int rounds = 0;
  loop.set_end_of_round([&] {
    most = std::max(most, std::exchange(tasks, 0));
    if (++rounds == 20) loop.quit();
    return false;
  });
  struct Storm {
    LoopImpl* loop;
    weir::test::FakeClock* clock;
    int* tasks;
    void operator()() const {
      clock->advance(1ms);
      ++*tasks;
      loop->post(Storm{*this});
    }
  };
  loop.post(Storm{&loop, &clock, &tasks});
  loop.run();
  EXPECT_LE(most, 5);
}

// Whoever waits with more requests behind the one that waits.
TEST(ClientGone, IsNoticedWithPipelinedBytesWaiting) {
  TestServer server;
  int expected = 0;
  for (const bool read_already : {true, false}) {
    for (const int how : {0, 1, 2}) {
      Client client(server.address());
      client.send(get("/park") + (read_already ? get("/smuggled") : ""));
      ASSERT_TRUE(server.parked_count.wait_for(++expected));
      if (!read_already) client.send(get("/smuggled"));
      server.on_loop([] {});
      if (how == 0) client.close();
      if (how == 1) client.reset();
      if (how == 2) client.shut_sending();
      EXPECT_TRUE(server.gone_count.wait_for(expected)) << read_already << how;
    }
  }
  EXPECT_EQ(server.smuggled_count.value(), 0);
  while (server->connections_open() != 0) server.on_loop([] {});
}

TEST(ClientGone, ByAResetEndsARequestThatIsUnderWay) {
  TestServer server;
  Client client(server.address());
  client.send(post("/work", "w"));
  ASSERT_TRUE(server.parked_count.wait_for(1));
  client.reset();
  while (server->connections_open() != 0) server.on_loop([] {});
  server.answer_parked("nobody hears this");
}

}  // namespace
}  // namespace weir::http::test
