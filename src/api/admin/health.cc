#include <string>
#include <utility>

#include "weir/api/admin.h"
#include "weir/api/problem.h"

namespace weir::api::admin {

std::vector<http::Route> health_routes(NotReady not_ready) {
  http::Route alive;
  alive.pattern = "/healthz";
  alive.begin = [](const http::RequestHead&) -> http::Admission {
    http::Response response;
    response.tail = R"({"status":"ok"})";
    return response;
  };

  http::Route ready;
  ready.pattern = "/readyz";
  ready.begin = [not_ready = std::move(not_ready)](const http::RequestHead&) -> http::Admission {
    const auto reason = not_ready();
    if (reason) {
      http::Response response = plain_error(503, "unavailable", "Not ready: " + *reason);
      response.headers = "Retry-After: 1\r\n";
      return response;
    }
    http::Response response;
    response.tail = R"({"status":"ready"})";
    return response;
  };

  std::vector<http::Route> routes;
  routes.push_back(std::move(alive));
  routes.push_back(std::move(ready));
  return routes;
}

}  // namespace weir::api::admin
