// One client at a time: framing, order, methods, what the server adds.
#include <set>
#include <stdexcept>

#include "support.h"

namespace weir::http::test {
namespace {

TEST(Connection, KeepsAliveOverManyRequests) {
  TestServer server;
  Client client(server.address());
  for (int i = 0; i < 50; ++i) {
    const Answer answer = client.ask(get("/ping"));
    ASSERT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, "pong");
    EXPECT_EQ(answer.header("Connection"), "");
    EXPECT_EQ(answer.header("Content-Type"), "application/json; charset=utf-8");
    EXPECT_EQ(answer.header("Date").size(), 29u);
  }
  EXPECT_EQ(server->connections_open(), 1u);
}

TEST(Connection, ClosesWhenTheClientOrTheHandlerAsksForIt) {
  TestServer server;
  Client asked(server.address());
  EXPECT_EQ(asked.ask(get("/ping", "Connection: close\r\n")).header("Connection"), "close");
  EXPECT_TRUE(asked.closed_by_server());
  Client told(server.address());
  EXPECT_EQ(told.ask("PUT /close HTTP/1.1\r\nHost: x\r\n\r\n").header("Connection"), "close");
  EXPECT_TRUE(told.closed_by_server());
}

TEST(Connection, GivesTheHeadToHandlers) {
  TestServer server;
  Client client(server.address());
  EXPECT_EQ(client.ask(get("/head?x=1", "X-Test:  a b\t\r\nX-Request-Id: my.id_1-Z\r\n")).body,
            "a b|127.0.0.1|my.id_1-Z|/head");
  const Answer captured = client.ask(get("/items/a%20b/parts/%C3%A4?q=%31"));
  EXPECT_EQ(captured.body, "a b|\xC3\xA4");
  EXPECT_EQ(captured.header("X-Query"), "q=%31");
  EXPECT_EQ(client.ask("GET http://elsewhere:80/head?y HTTP/1.1\r\nHost: x\r\nX-Test: t\r\n\r\n").body.substr(0, 12),
            "t|127.0.0.1|");
}

TEST(Connection, ReturnsUsableRequestIdsAndReplacesOthers) {
  TestServer server;
  Client client(server.address());
  EXPECT_EQ(client.ask(get("/ping", "X-Request-Id: " + std::string(64, 'a') + "\r\n")).header("X-Request-Id"),
            std::string(64, 'a'));
  std::set<std::string> made;
  for (const std::string& bad :
       {std::string(65, 'a'), std::string(), std::string("a b"), std::string("a\"b"), std::string("\xC3\xA4")}) {
    const std::string id = client.ask(get("/ping", "X-Request-Id: " + bad + "\r\n")).header("X-Request-Id");
    EXPECT_NE(id, bad);
    EXPECT_GE(id.size(), 8u);
    made.insert(id);
  }
  EXPECT_EQ(made.size(), 5u);
}

TEST(Connection, AddsTheAdmissionsFieldsToTheAnswer) {
  TestServer server;
  Client client(server.address());
  const Answer answer = client.ask(get("/headers"));
  EXPECT_EQ(answer.header("X-Early"), "1");
  EXPECT_EQ(answer.header("X-Late"), "2");
}

TEST(Connection, AnswersHeadWithoutABodyButWithItsLength) {
  TestServer server;
  Client client(server.address());
  const Answer answer = client.ask("HEAD /ping HTTP/1.1\r\nHost: x\r\n\r\n", true);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("Content-Length"), "4");
  const Answer large = client.ask("HEAD /large HTTP/1.1\r\nHost: x\r\n\r\n", true);
  EXPECT_EQ(large.header("Content-Length"), std::to_string(server.shared_body->size() + 2));
  EXPECT_EQ(client.ask("HEAD /nowhere HTTP/1.1\r\nHost: x\r\n\r\n", true).status, 404);
  EXPECT_EQ(client.ask(get("/ping")).body, "pong");
}

TEST(Connection, AnswersOptionsItselfUnlessARouteDoes) {
  TestServer server;
  Client client(server.address());
  const Answer answer = client.ask("OPTIONS /smuggled HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(answer.status, 204);
  EXPECT_EQ(answer.header("Allow"), "GET, HEAD, POST, OPTIONS");
  EXPECT_EQ(answer.header("Content-Length"), "");
  EXPECT_EQ(client.ask("OPTIONS /own HTTP/1.1\r\nHost: x\r\n\r\n").header("X-Own"), "yes");
  EXPECT_EQ(client.ask("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n").status, 204);
  EXPECT_EQ(client.ask("OPTIONS /nowhere HTTP/1.1\r\nHost: x\r\n\r\n").status, 404);
}

TEST(Connection, RefusesUnknownPathsAndMethodsInJson) {
  TestServer server;
  Client client(server.address());
  const Answer path = client.ask(get("/nowhere"));
  EXPECT_EQ(path.status, 404);
  EXPECT_EQ(path.body, R"({"message":"Not found","code":"not_found"})");
  const Answer method = client.ask("DELETE /ping HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(method.status, 405);
  EXPECT_EQ(method.body, R"({"message":"Method not allowed","code":"method_not_allowed"})");
  EXPECT_EQ(method.header("Allow"), "GET, HEAD, OPTIONS");
  EXPECT_EQ(client.ask("BREW /ping HTTP/1.1\r\nHost: x\r\n\r\n").status, 405);
  EXPECT_EQ(client.ask(get("/items/%zz/parts/1")).status, 404);
  EXPECT_EQ(client.ask(get("/ping/")).status, 200);
}

TEST(Connection, AnswersPipelinedRequestsInOrder) {
  TestServer server;
  Client client(server.address());
  std::string burst;
  for (int i = 0; i < 200; ++i) burst += post("/echo", std::to_string(i));
  client.send(burst);
  for (int i = 0; i < 200; ++i) ASSERT_EQ(client.read_answer().body, std::to_string(i));
}

TEST(Connection, HoldsAnAnswerUntilThoseBeforeItAreTaken) {
  TestServer server;
  Client client(server.address(), 4096);
  std::string burst;
  for (int i = 0; i < 30; ++i) burst += get("/ping");
  burst += post("/work", "{}");
  // Nothing is read, so at some time the kernel takes no more of the pings before a request that is being handled.
  int rounds = 0;
  bool stalled = false;
  for (; rounds < 4000 && !stalled; ++rounds) {
    ASSERT_TRUE(client.send(burst));
    for (int turn = 0; turn < 3; ++turn) server.on_loop([] {});
    stalled = server.parked_count.value() <= rounds;
    server.answer_parked("worked");
  }
  ASSERT_TRUE(stalled) << "the kernel took everything";
  for (int round = 0; round < rounds; ++round) {
    for (int i = 0; i < 30; ++i) ASSERT_EQ(client.read_answer().body, "pong") << "round " << round;
    if (round == rounds - 1) {
      ASSERT_TRUE(server.parked_count.wait_for(rounds));
      server.answer_parked("worked");
    }
    ASSERT_EQ(client.read_answer().body, "worked") << "round " << round;
  }
}

TEST(Connection, LosesNothingThatComesWhileAnAnswerGoesOut) {
  // The end of a long answer and the next request reach the loop in one event.
  for (std::size_t size = 1 << 20; size <= 8u << 20; size += 512 * 1024) {
    TestServer server;
    Client client(server.address());
    client.send(get("/park"));
    ASSERT_TRUE(server.parked_count.wait_for(1));
    server.answer_parked(std::string(size, 'x'));
    std::promise<void> blocked;
    std::promise<void> go_on;
    server->loops()[0]->post([&, released = go_on.get_future().share()] {
      blocked.set_value();
      released.wait();
    });
    blocked.get_future().wait();
    client.take_available();
    client.send(get("/ping"));
    go_on.set_value();
    ASSERT_EQ(client.read_answer().body.size(), size);
    ASSERT_EQ(client.read_answer().body, "pong") << "behind " << size << " bytes";
  }
}

TEST(Connection, AnswersBehindAParkedRequestOnlyAfterIt) {
  TestServer server;
  Client client(server.address());
  client.send(get("/park") + get("/ping") + get("/park") + post("/echo", "last"));
  ASSERT_TRUE(server.parked_count.wait_for(1));
  server.answer_parked("first");
  EXPECT_EQ(client.read_answer().body, "first");
  EXPECT_EQ(client.read_answer().body, "pong");
  ASSERT_TRUE(server.parked_count.wait_for(2));
  server.answer_parked("third");
  EXPECT_EQ(client.read_answer().body, "third");
  EXPECT_EQ(client.read_answer().body, "last");
}

TEST(Connection, AnswersWhatArrivesWhileARequestIsParked) {
  TestServer server;
  Client client(server.address());
  client.send(get("/park"));
  ASSERT_TRUE(server.parked_count.wait_for(1));
  client.send(post("/echo", std::string(900, 'x')) + get("/ping"));
  server.on_loop([] {});
  server.answer_parked("first");
  EXPECT_EQ(client.read_answer().body, "first");
  EXPECT_EQ(client.read_answer().body, std::string(900, 'x'));
  EXPECT_EQ(client.read_answer().body, "pong");
}

TEST(Connection, TakesChunkedBodies) {
  TestServer server;
  Client client(server.address());
  const std::string head = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(client.ask(head + "5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nX-T: 1\r\n\r\n").body, "hello world");
  EXPECT_EQ(client.ask(head + "0\r\n\r\n").body, "");
  client.send(head + "3\r\nabc\r\n0\r\n\r\n" + get("/ping"));
  EXPECT_EQ(client.read_answer().body, "abc");
  EXPECT_EQ(client.read_answer().body, "pong");
  std::string big = "POST /big HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 100; ++i) big += "4000\r\n" + std::string(0x4000, 'b') + "\r\n";
  EXPECT_EQ(client.ask(big + "0\r\n\r\n").body, std::to_string(100 * 0x4000));
}

TEST(Connection, TakesLargeBodies) {
  TestServer server;
  Client client(server.address());
  EXPECT_EQ(client.ask(post("/big", std::string(20'000'000, 'x'))).body, "20000000");
  EXPECT_EQ(client.ask(get("/ping")).body, "pong");
}

TEST(Connection, IgnoresAFewBlankLinesBeforeARequest) {
  TestServer server;
  Client client(server.address());
  EXPECT_EQ(client.ask("\r\n" + get("/ping")).status, 200);
  EXPECT_EQ(client.ask("\r\n\r\n" + get("/ping")).status, 200);
  EXPECT_EQ(client.ask("\r\n\r\n\r\n" + get("/ping")).status, 400);
}

TEST(Expect, IsAnsweredOnlyForBodiesThatAreWanted) {
  TestServer server;
  Client client(server.address());
  client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-Continue\r\n\r\n");
  while (client.received().find("\r\n\r\n") == std::string::npos) ASSERT_TRUE(client.receive());
  EXPECT_EQ(client.received(), "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_EQ(client.read_answer().status, 100);
  EXPECT_EQ(client.ask("abc").body, "abc");

  client.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.read_answer().status, 100);
  EXPECT_EQ(client.ask("3\r\nxyz\r\n0\r\n\r\n").body, "xyz");

  // A body that comes anyway needs no invitation.
  EXPECT_EQ(client.ask(post("/echo", "abc", "Expect: 100-continue\r\n")).body, "abc");

  const Answer refused =
      client.ask("POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(refused.status, 401);
  EXPECT_EQ(refused.header("Connection"), "close");
  client.shut_sending();
  EXPECT_TRUE(client.closed_by_server());
}

TEST(Expect, RefusesWhatItDoesNotKnow) {
  TestServer server;
  Client client(server.address());
  EXPECT_EQ(client.ask(post("/echo", "abc", "Expect: more\r\n")).status, 417);
  EXPECT_EQ(client.ask(post("/echo", "abc", "Expect: 100-continue, more\r\n")).status, 417);
  EXPECT_EQ(client.ask(get("/ping")).status, 200);
}

TEST(Http10, ClosesUnlessAskedToStay) {
  TestServer server;
  Client once(server.address());
  const Answer answer = once.ask("GET /ping HTTP/1.0\r\n\r\n");
  EXPECT_EQ(answer.body, "pong");
  EXPECT_EQ(answer.header("Connection"), "close");
  EXPECT_TRUE(once.closed_by_server());

  Client again(server.address());
  EXPECT_EQ(again.ask("GET /ping HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").header("Connection"), "keep-alive");
  EXPECT_EQ(again.ask("POST /echo HTTP/1.0\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nok").body, "ok");
  // HTTP/1.0 knows no expectations.
  EXPECT_EQ(again.ask("POST /echo HTTP/1.0\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\nok").body, "ok");
  EXPECT_TRUE(again.closed_by_server());
}

TEST(Refusal, KeepsTheConnectionWhenTheBodyIsHereOrShort) {
  TestServer server;
  Client client(server.address());
  EXPECT_EQ(client.ask(post("/refuse", "body")).status, 401);
  EXPECT_EQ(client.ask(get("/ping")).status, 200);
  // The answer comes before the body does.
  EXPECT_EQ(client.ask("POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 65536\r\n\r\n").status, 401);
  client.send(std::string(65536, 'b'));
  EXPECT_EQ(client.ask(get("/ping")).status, 200);
  EXPECT_EQ(
      client.ask("POST /nowhere HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n").status,
      404);
  EXPECT_EQ(client.ask(get("/ping")).status, 200);
  EXPECT_EQ(server.refused_count.value(), 2);
}

TEST(Refusal, ClosesButIsReadWhenTheBodyIsLong) {
  TestServer server;
  Client client(server.address());
  const std::string body(3'000'000, 'b');
  client.send("POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n");
  // All of it is sent before the answer is looked at, as many clients do.
  EXPECT_TRUE(client.send(body));
  const Answer answer = client.read_answer();
  EXPECT_EQ(answer.status, 401);
  EXPECT_EQ(answer.header("Connection"), "close");
  client.shut_sending();
  EXPECT_TRUE(client.closed_by_server());
}

TEST(ServerError, AnswersForHandlersThatThrowOrForget) {
  TestServer server;
  Client client(server.address());
  for (const char* path : {"/throw/begin", "/throw/handler", "/throw/later", "/drop"}) {
    const Answer answer = client.ask(get(path));
    EXPECT_EQ(answer.status, 500) << path;
    EXPECT_EQ(answer.body.find(R"({"message":"Server error","code":"internal_error","id":")"), 0u) << answer.body;
    EXPECT_EQ(answer.body.size(),
              std::string(R"({"message":"Server error","code":"internal_error","id":""})").size() + 36);
  }
  EXPECT_EQ(client.ask(get("/ping")).status, 200);
}

TEST(ServerError, AnswersForAResponderDroppedOnAnotherThread) {
  TestServer server;
  Client client(server.address());
  client.send(get("/park"));
  ASSERT_TRUE(server.parked_count.wait_for(1));
  std::vector<Responder> taken;
  server.on_loop([&] { taken = std::move(server.parked()); });
  taken.clear();
  EXPECT_EQ(client.read_answer().status, 500);
  EXPECT_EQ(client.ask(get("/ping")).status, 200);
}

TEST(ClientGone, RunsTheHookOfAParkedRequestAndFreesIt) {
  TestServer server;
  for (const bool reset : {false, true}) {
    const int before = server.gone_count.value();
    Client client(server.address());
    client.send(get("/park"));
    ASSERT_TRUE(server.parked_count.wait_for(before + 1));
    if (reset) {
      client.reset();
    } else {
      client.close();
    }
    EXPECT_TRUE(server.gone_count.wait_for(before + 1)) << reset;
  }
  EXPECT_EQ(server->connections_open(), 0u);
  server.answer_parked("nobody hears this");
}

TEST(ClientGone, IsNotSeenOnceAnswered) {
  TestServer server;
  Client client(server.address());
  client.send(get("/park"));
  ASSERT_TRUE(server.parked_count.wait_for(1));
  server.answer_parked("x");
  EXPECT_EQ(client.read_answer().body, "x");
  client.close();
  Client other(server.address());
  EXPECT_EQ(other.ask(get("/ping")).status, 200);
  EXPECT_EQ(server.gone_count.value(), 0);
}

TEST(HalfClosed, ClientsGetTheAnswersOfWhatTheySent) {
  TestServer server;
  Client at_once(server.address());
  at_once.send(get("/ping") + post("/echo", "two"));
  at_once.shut_sending();
  const std::string all = at_once.read_all();
  EXPECT_NE(all.find("pong"), std::string::npos);
  EXPECT_NE(all.find("two"), std::string::npos);

  // Work that is under way is answered as well; only a poll with a hook counts its client as gone.
  Client later(server.address());
  later.send(post("/work", "w"));
  later.shut_sending();
  ASSERT_TRUE(server.parked_count.wait_for(1));
  server.answer_parked("done");
  EXPECT_NE(later.read_all().find("done"), std::string::npos);

  Client poll(server.address());
  poll.send(get("/park"));
  poll.shut_sending();
  EXPECT_TRUE(server.gone_count.wait_for(1));
  EXPECT_EQ(poll.read_all(), "");
}

TEST(Cut, RequestsGiveTheSameAnswerAtEveryByte) {
  TestServer server;
  const std::vector<std::string> requests = {
      get("/head?a=b", "X-Test: v\r\nX-Request-Id: same\r\n"), post("/echo", "hello body", "X-Request-Id: same\r\n"),
      "POST /echo HTTP/1.1\r\nHost: x\r\nX-Request-Id: same\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3;e\r\nabc\r\n2\r\nde\r\n0\r\nT: 1\r\n\r\n",
      "POST /refuse HTTP/1.1\r\nHost: x\r\nX-Request-Id: same\r\nContent-Length: 4\r\n\r\nbody",
      "\r\nGET /nowhere HTTP/1.1\r\nHost: x\r\nX-Request-Id: same\r\n\r\n"};
  Client client(server.address());
  for (const std::string& request : requests) {
    const Answer whole = client.ask(request);
    ASSERT_NE(whole.status, 0);
    for (std::size_t cut = 1; cut < request.size(); ++cut) {
      client.send(request.substr(0, cut));
      server.on_loop([] {});  // lets the loop read the first part by itself
      const Answer answer = client.ask(request.substr(cut));
      ASSERT_EQ(answer.status, whole.status) << cut;
      ASSERT_EQ(answer.body, whole.body) << cut;
    }
    for (const char byte : request) {
      client.send({&byte, 1});
      server.on_loop([] {});
    }
    EXPECT_EQ(client.read_answer().body, whole.body);
  }
}

TEST(Large, AnswersArriveWholeAndPipelinedBehindEachOther) {
  TestServer server;
  Client client(server.address());
  client.send(get("/large") + get("/ping") + get("/large"));
  EXPECT_EQ(client.read_answer().body, "<" + *server.shared_body + ">");
  EXPECT_EQ(client.read_answer().body, "pong");
  EXPECT_EQ(client.read_answer().body, "<" + *server.shared_body + ">");
  // The bytes were shared, not copied, and are let go.
  server.on_loop([] {});
  EXPECT_EQ(server.shared_body.use_count(), 1);
}

}  // namespace
}  // namespace weir::http::test
