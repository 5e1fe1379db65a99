#include <memory>
#include <string>
#include <utility>

#include "weir/api/workato.h"

#include "api/workato/batch.h"
#include "api/workato/consume.h"
#include "api/workato/door.h"
#include "api/workato/publish.h"
#include "api/workato/topics.h"

namespace weir::api::workato {

Door::Door(const WorkatoDeps& deps)
    : guard(deps.guard),
      broker(deps.broker),
      topics(deps.topics),
      config(deps.config),
      random(deps.random),
      consume_rules(workato::consume_rules(deps.config)),
      zone(parse_zone_offset(deps.config.api.time_zone)) {}

std::vector<http::Route> routes(const WorkatoDeps& deps) {
  using core::RateGroup;
  using http::Method;
  using model::Privilege;
  using Begin = http::Admission (*)(const Door&, const http::RequestHead&, const core::CallerPtr&);

  const auto door = std::make_shared<const Door>(deps);
  const Config::Limits& limits = deps.config.limits;
  std::vector<http::Route> routes;
  const auto add = [&](Method method, std::string pattern, std::size_t body_bytes_max, Privilege privilege,
                       RateGroup group, Begin begin) -> http::Route& {
    routes.push_back(deps.guard.protect(method, std::move(pattern), body_bytes_max, privilege, group,
                                        [door, begin](const http::RequestHead& head, const core::CallerPtr& caller) {
                                          return begin(*door, head, caller);
                                        }));
    return routes.back();
  };

  struct Prefixes {
    const char* single;
    const char* batch;
    RateGroup group;
  };
  for (const Prefixes& at :
       {Prefixes{"/api/v1/topics/:topic_id", "/api/v1/batch/topics/:topic_id", RateGroup::public_api},
        Prefixes{"/api/pubsub/topics/:topic_id", "/api/pubsub/batch/topics/:topic_id", RateGroup::legacy}}) {
    const std::string single = at.single;
    add(Method::post, single + "/consume", limits.management_body_bytes_max, Privilege::consume, at.group,
        &begin_consume)
        .large_answers = true;
    add(Method::post, single + "/publish", limits.message_bytes_max, Privilege::publish, at.group, &begin_publish);
    add(Method::post, std::string(at.batch) + "/publish", limits.batch_body_bytes_max, Privilege::publish, at.group,
        &begin_batch);
  }

  const std::string all = "/api/event_streams/topics";
  const std::string one = all + "/:topic_id";
  const std::size_t body_max = limits.management_body_bytes_max;
  const RateGroup group = RateGroup::management;
  add(Method::get, all, body_max, Privilege::topics_read, group, &begin_list).large_answers = true;
  add(Method::post, all, body_max, Privilege::topics_write, group, &begin_create);
  add(Method::get, one, body_max, Privilege::topics_read, group, &begin_get);
  add(Method::put, one, body_max, Privilege::topics_write, group, &begin_update);
  add(Method::delete_, one, body_max, Privilege::topics_write, group, &begin_delete);
  add(Method::put, one + "/purge", body_max, Privilege::topics_purge, group, &begin_purge);

  for (http::Route& preflight : deps.guard.preflights(routes)) routes.push_back(std::move(preflight));
  return routes;
}

}  // namespace weir::api::workato
