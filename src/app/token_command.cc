#include "app/token_command.h"

#include <algorithm>
#include <functional>
#include <iostream>
#include <memory>
#include <variant>

#include <nlohmann/json.hpp>

#include "weir/base/clock.h"
#include "weir/base/random.h"
#include "weir/core/access.h"
#include "weir/model/time.h"
#include "weir/model/topic.h"
#include "weir/storage_rocksdb/rocks_store.h"

#include "app/data_dir.h"
#include "app/http_client.h"
#include "app/serve.h"

namespace weir::app {

namespace {

using nlohmann::json;

struct Remote {
  std::string url;
  std::string token;
};

struct Local {
  std::string data_dir;
};

/// A URL means that server; without one the folder decides: held by a server, ask it; else open the folder.
Result<std::variant<Remote, Local>> find_place(const TokenTarget& target) {
  const auto token = target.token ? target.token : read_admin_token(target.data_dir);
  const auto remote = [&](std::string url) -> Result<std::variant<Remote, Local>> {
    if (!token) {
      return make_error(Errc::unauthorized,
                        "no admin token: give --token, set WEIR_TOKEN, or name the folder that holds admin.token with "
                        "--data-dir");
    }
    return Remote{std::move(url), *token};
  };
  if (target.url) return remote(*target.url);
  if (!is_data_dir(target.data_dir)) {
    return make_error(Errc::data_dir_unusable, "no weir data folder at " + target.data_dir +
                                                   "; name it with --data-dir, or a running server with --url");
  }
  if (!is_held(target.data_dir)) return Local{target.data_dir};
  const auto address = read_address(target.data_dir);
  if (!address) {
    return make_error(Errc::data_dir_unusable,
                      "the data folder is in use, but its server's address is not known; "
                      "name the server with --url");
  }
  return remote("http://" + *address);
}

json to_json(const model::Token& token) {
  json topics = json::array();
  for (const model::TopicId topic : token.topics) topics.push_back(value_of(topic));
  const auto time = [](const std::optional<WallTime>& at) {
    return at ? json(model::to_timestamp(*at)) : json(nullptr);
  };
  return {{"id", token.id},
          {"name", token.name},
          {"privileges", model::privilege_words(token.privileges)},
          {"topics", std::move(topics)},
          {"created_at", time(token.created_at)},
          {"expires_at", time(token.expires_at)},
          {"last_used_at", time(token.last_used_at)}};
}

/// The server's answer, or what it said was wrong.
Result<json> ask(const Remote& remote, std::string_view method, std::string_view target, const json& body) {
  WEIR_TRY(auto answer, http_request(remote.url, method, target, remote.token, body.is_null() ? "" : body.dump()));
  json parsed = json::parse(answer.body, nullptr, false);
  if (answer.status == 200 && parsed.is_object() && parsed.contains("data")) return parsed["data"];
  Error error = make_error(Errc::bad_request, "the server answered " + std::to_string(answer.status));
  if (parsed.is_object()) {
    if (const auto message = parsed.find("message"); message != parsed.end() && message->is_string()) {
      error.detail += ": " + message->get<std::string>();
    }
    if (const auto errors = parsed.find("errors"); errors != parsed.end() && errors->is_object()) {
      for (const auto& [field, texts] : errors->items()) error.fields.push_back({field, texts.dump()});
    }
  }
  return error;
}

/// Opens the stopped server's folder for one piece of work.
Result<json> with_access(const Local& local, const std::function<Result<json>(core::Access&, storage::Store&)>& work) {
  const SystemClock clock;
  SystemRandom random;
  storage_rocksdb::Options options;
  options.data_dir = local.data_dir;
  options.clock = &clock;
  WEIR_TRY(auto store, storage_rocksdb::RocksStore::open(options));
  core::Access access(*store, clock, random);
  WEIR_TRY(access.load(std::nullopt));
  auto result = work(access, *store);
  store->close();
  return result;
}

/// As the running server does: a token for topics that do not exist is a slip of the hand.
Result<void> check_topics(storage::Store& store, const std::vector<model::TopicId>& wanted) {
  WEIR_TRY(auto records, store.list(storage::Table::topics, ""));
  std::vector<model::TopicId> known;
  for (const auto& [key, bytes] : records) {
    WEIR_TRY(const model::Topic topic, model::decode_topic(bytes));
    known.push_back(topic.id);
  }
  Error error = make_error(Errc::validation_failed, "Validation failed");
  for (const model::TopicId topic : wanted) {
    if (std::find(known.begin(), known.end(), topic) == known.end()) {
      error.fields.push_back({"topics", "topic " + std::to_string(value_of(topic)) + " does not exist"});
    }
  }
  if (!error.fields.empty()) return error;
  return ok();
}

Result<json> create(const TokenTarget& target, const TokenCreate& wanted) {
  WEIR_TRY(auto place, find_place(target));
  if (const auto* remote = std::get_if<Remote>(&place)) {
    json body = {{"name", wanted.name}, {"privileges", wanted.privileges}};
    if (!wanted.topics.empty()) body["topics"] = wanted.topics;
    if (wanted.expires_in_seconds) body["expires_in"] = *wanted.expires_in_seconds;
    return ask(*remote, "POST", "/api/admin/tokens", body);
  }
  core::NewToken token;
  token.name = wanted.name;
  for (const std::string& word : wanted.privileges) {
    const auto privilege = model::parse_privilege(word);
    if (!privilege) return make_error(Errc::bad_request, "unknown privilege " + word);
    token.privileges.add(*privilege);
  }
  for (const std::uint64_t topic : wanted.topics) token.topics.push_back(model::TopicId{topic});
  if (wanted.expires_in_seconds) {
    constexpr std::uint64_t kLongest = 3'155'760'000;  // a century; Access refuses more anyway
    token.lifetime = std::chrono::seconds{std::min(*wanted.expires_in_seconds, kLongest + 1)};
  }
  return with_access(std::get<Local>(place), [&](core::Access& access, storage::Store& store) -> Result<json> {
    WEIR_TRY(check_topics(store, token.topics));
    WEIR_TRY(auto issued, access.create(std::move(token)));
    json created = to_json(issued.token);
    created["token"] = issued.text;
    return created;
  });
}

Result<json> list(const TokenTarget& target) {
  WEIR_TRY(auto place, find_place(target));
  if (const auto* remote = std::get_if<Remote>(&place)) return ask(*remote, "GET", "/api/admin/tokens", nullptr);
  return with_access(std::get<Local>(place), [](core::Access& access, storage::Store&) -> Result<json> {
    json tokens = json::array();
    for (const model::Token& token : access.list()) tokens.push_back(to_json(token));
    return tokens;
  });
}

Result<json> revoke(const TokenTarget& target, const std::string& id) {
  WEIR_TRY(auto place, find_place(target));
  if (id.empty() ||
      id.find_first_not_of("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") != std::string::npos) {
    return make_error(Errc::token_not_found, "no token has the id " + id);
  }
  if (const auto* remote = std::get_if<Remote>(&place)) {
    return ask(*remote, "DELETE", "/api/admin/tokens/" + id, nullptr);
  }
  return with_access(std::get<Local>(place), [&](core::Access& access, storage::Store&) -> Result<json> {
    if (auto revoked = access.revoke(id); !revoked) {
      Error error = std::move(revoked).error();
      if (error.code == Errc::token_not_found) error.detail = "no token has the id " + id;
      return error;
    }
    return json{{"status", "success"}};
  });
}

std::string joined(const json& list) {
  std::string text;
  for (const json& item : list) {
    if (!text.empty()) text += ',';
    text += item.is_string() ? item.get<std::string>() : item.dump();
  }
  return text.empty() ? "-" : text;
}

std::string text_of(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "-";
}

int finish(const TokenTarget& target, const Result<json>& result, const std::function<void(const json&)>& print) {
  if (!result) {
    std::cerr << "weir: " << (result.error().detail.empty() ? "failed" : result.error().detail) << "\n";
    for (const FieldError& field : result.error().fields) {
      std::cerr << "  " << field.field << ": " << field.message << "\n";
    }
    return kExitFailed;
  }
  if (target.json) {
    std::cout << result.value().dump(2, ' ', false, json::error_handler_t::replace) << "\n";
  } else {
    print(result.value());
  }
  return kExitOk;
}

}  // namespace

int token_create(const TokenTarget& target, const TokenCreate& wanted) {
  return finish(target, create(target, wanted), [](const json& token) {
    std::cout << "Token " << text_of(token, "id") << " (" << text_of(token, "name") << "), shown this once:\n\n  "
              << text_of(token, "token") << "\n";
  });
}

int token_list(const TokenTarget& target) {
  return finish(target, list(target), [](const json& tokens) {
    if (tokens.empty()) std::cout << "No tokens.\n";
    for (const json& token : tokens) {
      std::cout << text_of(token, "id") << "  " << text_of(token, "name")
                << "\n  privileges: " << joined(token.value("privileges", json::array()))
                << "  topics: " << (token.value("topics", json::array()).empty() ? "all" : joined(token["topics"]))
                << "\n  created: " << text_of(token, "created_at") << "  expires: " << text_of(token, "expires_at")
                << "  last used: " << text_of(token, "last_used_at") << "\n";
    }
  });
}

int token_revoke(const TokenTarget& target, const std::string& id) {
  return finish(target, revoke(target, id), [&](const json&) { std::cout << "Token " << id << " is revoked.\n"; });
}

}  // namespace weir::app
