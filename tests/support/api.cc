#include "support/api.h"

namespace weir::test {

using ::testing::AssertionFailure;
using ::testing::AssertionResult;
using ::testing::AssertionSuccess;

namespace {

/// The end of the JSON value that starts at `at`.
std::size_t value_end(std::string_view text, std::size_t at) {
  int depth = 0;
  bool in_string = false;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (in_string) {
      if (c == '\\') {
        ++at;
      } else if (c == '"') {
        in_string = false;
        if (depth == 0) return at + 1;
      }
      continue;
    }
    if (c == '"') in_string = true;
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') {
      if (depth == 0) return at;
      if (--depth == 0) return at + 1;
    }
    if (c == ',' && depth == 0) return at;
  }
  throw HttpFailure("unfinished JSON value");
}

std::string_view take_member(std::string_view text, std::size_t& at, std::string_view name) {
  const std::string key = "\"" + std::string(name) + "\":";
  if (text.substr(at, key.size()) != key) {
    throw HttpFailure("expected " + key + " at: " + std::string(text.substr(at, 80)));
  }
  at += key.size();
  while (at < text.size() && text[at] == ' ') ++at;
  const std::size_t end = value_end(text, at);
  const auto value = text.substr(at, end - at);
  at = end;
  while (at < text.size() && (text[at] == ',' || text[at] == ' ')) ++at;
  return value;
}

std::string unquoted(std::string_view text) {
  if (text.size() < 2 || text.front() != '"' || text.back() != '"') throw HttpFailure("not a string");
  return std::string(text.substr(1, text.size() - 2));
}

AssertionResult has_common_headers(const HttpResponse& response) {
  if (response.header("Content-Type").value_or("") != "application/json; charset=utf-8") {
    return AssertionFailure() << "Content-Type is not JSON:\n" << response;
  }
  if (response.header("X-Request-Id").value_or("").empty())
    return AssertionFailure() << "no X-Request-Id:\n" << response;
  if (response.header("Date").value_or("").empty()) return AssertionFailure() << "no Date:\n" << response;
  return AssertionSuccess();
}

}  // namespace

std::vector<ReadMessage> split_messages(const std::string& body) {
  std::vector<ReadMessage> result;
  const std::string_view text = body;
  std::size_t at = text.find('[');
  if (text.substr(0, 12) != "{\"messages\":" || at == std::string_view::npos) {
    throw HttpFailure("not a consume answer: " + body.substr(0, 200));
  }
  ++at;
  while (at < text.size() && text[at] == '{') {
    ++at;
    ReadMessage message;
    message.id = unquoted(take_member(text, at, "message_id"));
    message.payload = take_member(text, at, "payload");
    message.time = unquoted(take_member(text, at, "time"));
    if (at >= text.size() || text[at] != '}') throw HttpFailure("further keys in a message: " + body.substr(at, 80));
    ++at;
    while (at < text.size() && (text[at] == ',' || text[at] == ' ')) ++at;
    result.push_back(std::move(message));
  }
  if (text.substr(at) != "]}") throw HttpFailure("unexpected end of a consume answer");
  return result;
}

AssertionResult is_error(const HttpResponse& response, int status, std::string_view code, std::string_view contains) {
  if (response.status != status) return AssertionFailure() << "expected status " << status << ":\n" << response;
  if (auto headers = has_common_headers(response); !headers) return headers;
  const Json body = Json::parse(response.body, nullptr, false);
  if (!body.is_object() || !body.contains("message") || !body["message"].is_string() || !body.contains("code")) {
    return AssertionFailure() << "not an error object:\n" << response;
  }
  if (body["code"] != code) return AssertionFailure() << "expected code " << code << ":\n" << response;
  if (body["message"].get<std::string>().empty()) return AssertionFailure() << "empty message:\n" << response;
  if (body["message"].get<std::string>().find(contains) == std::string::npos) {
    return AssertionFailure() << "expected a message with '" << contains << "':\n" << response;
  }
  return AssertionSuccess();
}

AssertionResult is_ok(const HttpResponse& response) {
  if (response.status != 200) return AssertionFailure() << "expected status 200:\n" << response;
  if (auto headers = has_common_headers(response); !headers) return headers;
  const Json body = Json::parse(response.body, nullptr, false);
  if (!body.is_object()) return AssertionFailure() << "not a JSON object:\n" << response;
  // Clients take a top-level `message` for an error.
  if (body.contains("message")) return AssertionFailure() << "a success with a message key:\n" << response;
  return AssertionSuccess();
}

AssertionResult is_ok(const HttpResponse& response, const Json& body) {
  if (auto good = is_ok(response); !good) return good;
  if (response.json() != body) return AssertionFailure() << "expected " << body << ":\n" << response;
  return AssertionSuccess();
}

AssertionResult is_field_error(const HttpResponse& response, std::string_view field, std::string_view contains) {
  if (auto error = is_error(response, 400, "invalid_parameter"); !error) return error;
  const Json body = response.json();
  const std::string key(field);
  if (!body.contains("errors") || !body["errors"].is_object() || !body["errors"].contains(key)) {
    return AssertionFailure() << "no errors." << field << ":\n" << response;
  }
  if (!body["errors"][key].is_array() || body["errors"][key].empty()) {
    return AssertionFailure() << "errors." << field << " is not a list of texts:\n" << response;
  }
  for (const auto& text : body["errors"][key]) {
    if (text.is_string() && text.get<std::string>().find(contains) != std::string::npos) return AssertionSuccess();
  }
  return AssertionFailure() << "no text with '" << contains << "' in errors." << field << ":\n" << response;
}

std::int64_t Api::topic(const TopicSpec& spec) {
  // The schema goes in as text, so that its bytes arrive as the test wrote them.
  std::string body = R"({"name":)";
  body += Json(spec.name.empty() ? "topic-" + std::to_string(++topics_made_) : spec.name).dump();
  body += R"(,"schema":)" + spec.schema;
  if (spec.retention) body += R"(,"retention":)" + std::to_string(*spec.retention);
  if (spec.description) body += R"(,"description":)" + Json(*spec.description).dump();
  body += "}";
  const auto response = post("/api/event_streams/topics", body);
  EXPECT_TRUE(is_ok(response));
  return response.json().at("data").at("id").get<std::int64_t>();
}

std::string Api::publish(std::int64_t topic, std::string_view payload) {
  const auto response = post(publish_path(topic), payload);
  EXPECT_TRUE(is_ok(response));
  return response.json().at("message_id").get<std::string>();
}

std::vector<std::string> Api::publish_numbers(std::int64_t topic, int count, int first) {
  std::vector<std::string> ids;
  while (static_cast<int>(ids.size()) < count) {
    std::string body = R"({"payloads":[)";
    const int at = static_cast<int>(ids.size());
    const int size = std::min(100, count - at);
    for (int i = 0; i < size; ++i) {
      body += (i == 0 ? "" : ",") + std::string(R"({"n":)") + std::to_string(first + at + i) + "}";
    }
    const auto response = post(batch_path(topic), body + "]}");
    EXPECT_TRUE(is_ok(response));
    const Json answers = response.json().at("message_ids");
    for (int i = 0; i < size; ++i) ids.push_back(answers.at(std::to_string(i)).at("message_id").get<std::string>());
  }
  return ids;
}

std::vector<ReadMessage> Api::messages(std::int64_t topic, std::string_view body) {
  const auto response = consume(topic, body);
  EXPECT_EQ(response.status, 200) << response;  // payloads may hold what the JSON library here cannot (1e400)
  return split_messages(response.body);
}

std::vector<ReadMessage> Api::all_messages(std::int64_t topic) {
  std::vector<ReadMessage> all;
  for (;;) {
    auto page = messages(topic, all.empty() ? "{}" : Json{{"after_message_id", all.back().id}}.dump());
    if (page.empty()) return all;
    all.insert(all.end(), std::make_move_iterator(page.begin()), std::make_move_iterator(page.end()));
  }
}

std::string Api::token(std::vector<std::string> privileges, std::vector<std::int64_t> topics) {
  Json body{{"name", "test"}, {"privileges", privileges}};
  if (!topics.empty()) body["topics"] = topics;
  const auto response = post("/api/admin/tokens", body.dump());
  EXPECT_TRUE(is_ok(response));
  return response.json().at("data").at("token").get<std::string>();
}

Json Api::status() {
  const auto response = get("/api/admin/status");
  EXPECT_TRUE(is_ok(response));
  return response.json().at("data");
}

AssertionResult Api::polls_waiting(std::size_t count) {
  std::size_t seen = 0;
  const bool reached = eventually([&] {
    seen = status().at("polls_waiting").get<std::size_t>();
    return seen == count;
  });
  if (!reached) return AssertionFailure() << seen << " polls wait, not " << count;
  return AssertionSuccess();
}

void Api::restart() {
  client_.close();
  server_.stop();
  server_.start();
  client_ = Client(server_);
}

void Api::crash() {
  client_.close();
  server_.kill();
  server_.start();
  client_ = Client(server_);
}

}  // namespace weir::test
