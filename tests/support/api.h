#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "support/http_client.h"
#include "support/server_process.h"

/// The Workato-compatible door as tests use it: a server, a client with the admin's token, and the calls that most
/// tests need. Every helper checks that the call succeeded.
namespace weir::test {

using Json = nlohmann::json;

/// One message of a consume answer; `payload` is the bytes as they came.
struct ReadMessage {
  std::string id;
  std::string payload;
  std::string time;
};
/// Splits a consume answer without parsing the payloads. Throws HttpFailure if it does not look like one.
std::vector<ReadMessage> split_messages(const std::string& body);

/// True for the error `status` and `code` in the agreed form; `contains` must stand in its message.
::testing::AssertionResult is_error(const HttpResponse& response, int status, std::string_view code,
                                    std::string_view contains = {});
/// True for 200 with exactly this JSON.
::testing::AssertionResult is_ok(const HttpResponse& response, const Json& body);
/// True for 200 with a JSON object and the headers that every answer has.
::testing::AssertionResult is_ok(const HttpResponse& response);
/// True for a field error on `field` ("errors" map), 400 invalid_parameter; `contains` in one of its texts.
::testing::AssertionResult is_field_error(const HttpResponse& response, std::string_view field,
                                          std::string_view contains = {});

struct TopicSpec {
  std::string name = {};  ///< empty: a new one
  std::string schema = "[]";
  std::optional<std::int64_t> retention = {};
  std::optional<std::string> description = {};
};

class Api {
 public:
  explicit Api(ServerOptions options = {}) : server_(std::move(options)), client_(server_) {}

  ServerProcess& server() { return server_; }
  Client& client() { return client_; }
  Client client_with(std::string_view token) { return Client(server_, token); }
  HttpConnection connect() { return HttpConnection(server_); }

  HttpResponse get(std::string_view target) { return client_.get(target); }
  HttpResponse post(std::string_view target, std::string_view body, const Headers& headers = {}) {
    return client_.post(target, body, headers);
  }
  HttpResponse put(std::string_view target, std::string_view body) { return client_.put(target, body); }
  HttpResponse erase(std::string_view target) { return client_.erase(target); }

  static std::string topic_path(std::int64_t topic) { return "/api/event_streams/topics/" + std::to_string(topic); }
  static std::string purge_path(std::int64_t topic) { return topic_path(topic) + "/purge"; }
  static std::string consume_path(std::int64_t topic) { return "/api/v1/topics/" + std::to_string(topic) + "/consume"; }
  static std::string publish_path(std::int64_t topic) { return "/api/v1/topics/" + std::to_string(topic) + "/publish"; }
  static std::string batch_path(std::int64_t topic) {
    return "/api/v1/batch/topics/" + std::to_string(topic) + "/publish";
  }

  /// Creates a topic and returns its id.
  std::int64_t topic(const TopicSpec& spec = {});
  /// Publishes and returns the message id.
  std::string publish(std::int64_t topic, std::string_view payload);
  /// Publishes n messages {"n":0} … and returns their ids.
  std::vector<std::string> publish_numbers(std::int64_t topic, int count, int first = 0);
  HttpResponse consume(std::int64_t topic, std::string_view body = "{}") {
    return client_.post(consume_path(topic), body);
  }
  /// Messages of a successful consume.
  std::vector<ReadMessage> messages(std::int64_t topic, std::string_view body = "{}");
  /// Everything retained, page by page.
  std::vector<ReadMessage> all_messages(std::int64_t topic);
  /// A token with these privileges, perhaps for some topics only.
  std::string token(std::vector<std::string> privileges, std::vector<std::int64_t> topics = {});

  Json status();
  /// Waits until exactly `count` polls wait.
  ::testing::AssertionResult polls_waiting(std::size_t count);

  /// Stops (SIGTERM) or kills the server and starts it again on the same folder.
  void restart();
  void crash();

 private:
  ServerProcess server_;
  Client client_;
  int topics_made_ = 0;
};

/// A poll that waits on a connection of its own.
class Waiter {
 public:
  Waiter(Api& api, std::int64_t topic, std::string_view body = R"({"timeout_secs":60})",
         std::string_view path_prefix = "/api/v1/topics/")
      : client_(api.server()) {
    client_.begin("POST", std::string(path_prefix) + std::to_string(topic) + "/consume", body);
  }
  HttpResponse answer() { return client_.finish(); }
  bool answered() { return client_.connection().readable(); }
  void leave(bool reset = false) { client_.connection().close(reset); }

 private:
  Client client_;
};

}  // namespace weir::test
