#include "api/workato/topics.h"

#include <algorithm>
#include <string>
#include <utility>

#include "weir/api/problem.h"

#include "api/workato/door.h"
#include "api/workato/topic_json.h"

namespace weir::api::workato {
namespace {

http::Response json(std::string body) {
  http::Response response;
  response.body = std::move(body);
  return response;
}

Result<Query> read_query(const http::RequestHead& head) {
  auto query = http::parse_query(head.query);
  if (!query) return make_error(Errc::bad_request, "The query holds a broken percent escape");
  return std::move(*query);
}

/// The completion of a change that answers with the topic.
auto answer_topic(const Door& door, http::Responder responder) {
  return [&door, responder = std::move(responder)](Result<core::TopicEntryPtr> done) mutable {
    std::move(responder).send(done ? json(render_topic(done.value()->topic, door.zone))
                                   : error_answer(done.error(), door.random));
  };
}

auto answer_success(const Door& door, http::Responder responder) {
  return [&door, responder = std::move(responder)](Result<void> done) mutable {
    std::move(responder).send(done ? json(R"({"data":{"status":"success"}})")
                                   : error_answer(done.error(), door.random));
  };
}

/// Every mistake is reported at once, so a name is looked up although the call is refused anyway.
Error validation_error(const Door& door, std::size_t loop, model::WorkspaceId workspace,
                       std::optional<model::TopicId> self, TopicInput input) {
  if (input.given.name) {
    core::TopicQuery query;
    query.workspace = workspace;
    query.name_contains = *input.given.name;
    const auto found = door.topics.list(loop, query);
    const bool taken = std::any_of(found.begin(), found.end(), [&](const core::TopicEntryPtr& entry) {
      return entry->topic.name == *input.given.name && entry->topic.id != self;
    });
    if (taken) input.errors.insert(input.errors.begin(), {"name", "has already been taken"});
  }
  return Error{Errc::validation_failed, "Validation failed", std::move(input.errors)};
}

void create(const Door& door, std::size_t loop, model::WorkspaceId workspace, const Query& query, std::string_view body,
            http::Responder responder) {
  auto input = parse_topic_create(body, query, topic_rules(door.config));
  if (!input) return std::move(responder).send(error_answer(input.error(), door.random));
  if (!input.value().errors.empty()) {
    const Error error = validation_error(door, loop, workspace, std::nullopt, std::move(input).value());
    return std::move(responder).send(error_answer(error, door.random));
  }
  core::TopicPatch& given = input.value().given;
  core::NewTopic topic;
  topic.workspace = workspace;
  topic.name = std::move(*given.name);
  topic.schema = std::move(*given.schema);
  if (given.description) topic.description = std::move(*given.description);
  topic.retention = given.retention;
  door.topics.create(loop, std::move(topic), answer_topic(door, std::move(responder)));
}

void update(const Door& door, std::size_t loop, model::WorkspaceId workspace, model::TopicId id, const Query& query,
            std::string_view body, http::Responder responder) {
  auto input = parse_topic_update(body, query, topic_rules(door.config));
  if (!input) return std::move(responder).send(error_answer(input.error(), door.random));
  if (!input.value().errors.empty()) {
    const Error error = validation_error(door, loop, workspace, id, std::move(input).value());
    return std::move(responder).send(error_answer(error, door.random));
  }
  door.topics.update(loop, workspace, id, std::move(input.value().given), answer_topic(door, std::move(responder)));
}

}  // namespace

http::Admission begin_list(const Door& door, const http::RequestHead& head, const core::CallerPtr& caller) {
  const auto query = read_query(head);
  if (!query) return error_answer(query.error(), door.random);
  auto request = parse_topic_list(query.value());
  if (!request) return error_answer(request.error(), door.random);
  request.value().query.workspace = caller->token.workspace;
  request.value().query.only = caller->token.topics;
  return http::Accepted{
      [&door, loop = head.loop, request = std::move(request).value()](const std::string&, http::Responder responder) {
        std::move(responder).send(json(render_topic_list(door.topics.list(loop, request.query), request, door.zone)));
      }};
}

http::Admission begin_create(const Door& door, const http::RequestHead& head, const core::CallerPtr& caller) {
  if (!caller->token.topics.empty()) return error_answer(make_error(Errc::forbidden), door.random);
  auto query = read_query(head);
  if (!query) return error_answer(query.error(), door.random);
  return http::Accepted{[&door, loop = head.loop, workspace = caller->token.workspace,
                         query = std::move(query).value()](const std::string& body, http::Responder responder) {
    create(door, loop, workspace, query, body, std::move(responder));
  }};
}

http::Admission begin_get(const Door& door, const http::RequestHead& head, const core::CallerPtr& caller) {
  auto topic = find_topic(door.topics, *caller, head.loop, head.captures.at(0));
  if (!topic) return error_answer(topic.error(), door.random);
  return http::Accepted{[&door, entry = std::move(topic).value()](const std::string&, http::Responder responder) {
    std::move(responder).send(json(render_topic(entry->topic, door.zone)));
  }};
}

http::Admission begin_update(const Door& door, const http::RequestHead& head, const core::CallerPtr& caller) {
  const auto topic = find_topic(door.topics, *caller, head.loop, head.captures.at(0));
  if (!topic) return error_answer(topic.error(), door.random);
  auto query = read_query(head);
  if (!query) return error_answer(query.error(), door.random);
  return http::Accepted{[&door, loop = head.loop, workspace = caller->token.workspace, id = topic.value()->topic.id,
                         query = std::move(query).value()](const std::string& body, http::Responder responder) {
    update(door, loop, workspace, id, query, body, std::move(responder));
  }};
}

http::Admission begin_purge(const Door& door, const http::RequestHead& head, const core::CallerPtr& caller) {
  const auto topic = find_topic(door.topics, *caller, head.loop, head.captures.at(0));
  if (!topic) return error_answer(topic.error(), door.random);
  return http::Accepted{[&door, loop = head.loop, workspace = caller->token.workspace, id = topic.value()->topic.id](
                            const std::string&, http::Responder responder) {
    door.topics.purge(loop, workspace, id, answer_success(door, std::move(responder)));
  }};
}

http::Admission begin_delete(const Door& door, const http::RequestHead& head, const core::CallerPtr& caller) {
  const auto topic = find_topic(door.topics, *caller, head.loop, head.captures.at(0));
  if (!topic) return error_answer(topic.error(), door.random);
  return http::Accepted{[&door, loop = head.loop, workspace = caller->token.workspace, id = topic.value()->topic.id](
                            const std::string&, http::Responder responder) {
    door.topics.erase(loop, workspace, id, answer_success(door, std::move(responder)));
  }};
}

}  // namespace weir::api::workato
