#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "weir/api/admin.h"
#include "weir/api/problem.h"

#include "api/admin/token_json.h"

namespace weir::api::admin {
namespace {

http::Response json(std::string body) {
  http::Response response;
  response.body = std::move(body);
  return response;
}

/// Runs `change` on the worker (it blocks for the disk) and answers with what it gives, back on the loop that asked.
template <class Change>
void answer_from_worker(const AdminDeps& deps, std::size_t loop, http::Responder responder, Change change) {
  deps.worker.post(
      [home = deps.loops.at(loop), responder = std::move(responder), change = std::move(change)]() mutable {
        http::Response response = change();
        home->post([responder = std::move(responder), response = std::move(response)]() mutable {
          std::move(responder).send(std::move(response));
        });
      });
}

void create_token(const AdminDeps& deps, std::size_t loop, model::WorkspaceId workspace, std::string_view body,
                  http::Responder responder) {
  auto input = parse_token(body, deps.config.limits.json_depth_max);
  if (!input) return std::move(responder).send(error_answer(input.error(), deps.random));
  core::NewToken& token = input.value().given;
  std::vector<FieldError>& errors = input.value().errors;
  for (const model::TopicId id : token.topics) {
    if (!deps.topics.find(loop, workspace, id)) {
      errors.push_back({"topics", "topic " + std::to_string(value_of(id)) + " does not exist"});
    }
  }
  if (!errors.empty()) {
    const Error error{Errc::validation_failed, "Validation failed", std::move(errors)};
    return std::move(responder).send(error_answer(error, deps.random));
  }
  token.workspace = workspace;
  answer_from_worker(deps, loop, std::move(responder),
                     [access = &deps.access, random = &deps.random, token = std::move(token)]() mutable {
                       const auto issued = access->create(std::move(token));
                       return issued ? json(render_issued(issued.value())) : error_answer(issued.error(), *random);
                     });
}

/// In the caller's workspace: a foreign token behaves as an unknown one.
std::vector<model::Token> list_tokens(const core::Access& access, model::WorkspaceId workspace) {
  std::vector<model::Token> tokens = access.list();
  std::erase_if(tokens, [&](const model::Token& token) { return token.workspace != workspace; });
  return tokens;
}

Result<void> revoke_token(core::Access& access, model::WorkspaceId workspace, const std::string& id) {
  const auto tokens = list_tokens(access, workspace);
  const bool known = std::any_of(tokens.begin(), tokens.end(), [&](const auto& token) { return token.id == id; });
  if (!known) return make_error(Errc::token_not_found);
  return access.revoke(id);
}

}  // namespace

std::vector<http::Route> routes(const AdminDeps& given) {
  using core::RateGroup;
  using http::Method;
  using model::Privilege;
  const auto deps = std::make_shared<const AdminDeps>(given);
  const std::size_t body_max = deps->config.limits.management_body_bytes_max;
  std::vector<http::Route> routes;
  const auto add = [&](Method method, const char* pattern, Privilege privilege, GuardedBegin begin) {
    routes.push_back(deps->guard.protect(method, pattern, body_max, privilege, RateGroup::none, std::move(begin)));
  };

  add(Method::post, "/api/admin/tokens", Privilege::admin,
      [deps](const http::RequestHead& head, const core::CallerPtr& caller) -> http::Admission {
        return http::Accepted{[deps, loop = head.loop, workspace = caller->token.workspace](const std::string& body,
                                                                                            http::Responder responder) {
          create_token(*deps, loop, workspace, body, std::move(responder));
        }};
      });
  add(Method::get, "/api/admin/tokens", Privilege::admin,
      [deps](const http::RequestHead&, const core::CallerPtr& caller) -> http::Admission {
        return http::Accepted{
            [deps, workspace = caller->token.workspace](const std::string&, http::Responder responder) {
              std::move(responder).send(json(render_tokens(list_tokens(deps->access, workspace))));
            }};
      });
  add(Method::delete_, "/api/admin/tokens/:id", Privilege::admin,
      [deps](const http::RequestHead& head, const core::CallerPtr& caller) -> http::Admission {
        return http::Accepted{[deps, loop = head.loop, workspace = caller->token.workspace, id = head.captures.at(0)](
                                  const std::string&, http::Responder responder) {
          answer_from_worker(*deps, loop, std::move(responder), [deps, workspace, id] {
            const auto revoked = revoke_token(deps->access, workspace, id);
            return revoked ? json(R"({"data":{"status":"success"}})") : error_answer(revoked.error(), deps->random);
          });
        }};
      });
  add(Method::get, "/api/admin/topics/:topic_id/stats", Privilege::topics_read,
      [deps](const http::RequestHead& head, const core::CallerPtr& caller) -> http::Admission {
        const auto topic = find_topic(deps->topics, *caller, head.loop, head.captures.at(0));
        if (!topic) return error_answer(topic.error(), deps->random);
        return http::Accepted{[deps, loop = head.loop, workspace = caller->token.workspace,
                               id = topic.value()->topic.id](const std::string&, http::Responder responder) {
          deps->topics.stats(
              loop, workspace, id,
              [responder = std::move(responder), id, random = &deps->random](Result<storage::LogStats> done) mutable {
                std::move(responder).send(done ? json(render_stats(id, done.value()))
                                               : error_answer(done.error(), *random));
              });
        }};
      });

  add(Method::get, "/api/admin/status", Privilege::admin,
      [deps](const http::RequestHead&, const core::CallerPtr&) -> http::Admission {
        return http::Accepted{[deps](const std::string&, http::Responder responder) {
          const Status now = deps->status();
          std::move(responder).send(json("{\"data\":{\"polls_waiting\":" + std::to_string(now.polls_waiting) +
                                         ",\"connections\":" + std::to_string(now.connections_open) +
                                         ",\"topics\":" + std::to_string(now.topics) + "}}"));
        }};
      });

  for (http::Route& preflight : deps->guard.preflights(routes)) routes.push_back(std::move(preflight));
  return routes;
}

}  // namespace weir::api::admin
