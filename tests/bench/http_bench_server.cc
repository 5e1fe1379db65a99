// The HTTP server alone, to be measured beside nginx: GET /ping answers at once, POST /echo gives the length of its
// body, GET /park never answers. Usage: http_bench_server HOST:PORT [THREADS]; ends when standard input does.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "weir/base/clock.h"
#include "weir/base/random.h"
#include "weir/http/server.h"

namespace http = weir::http;

int main(int argc, char** argv) {
  http::ServerOptions options;
  if (argc > 1) options.listen = argv[1];
  if (argc > 2) options.threads = static_cast<std::size_t>(std::atoi(argv[2]));
  options.access_log = http::ServerOptions::AccessLog::errors;

  weir::SystemClock clock;
  weir::SystemRandom random;
  auto server = http::Server::bind(options, clock, random);
  if (!server) {
    std::fprintf(stderr, "%s\n", server.error().detail.c_str());
    return 2;
  }
  std::vector<std::vector<http::Responder>> parked(options.threads);
  std::vector<http::Route> routes;
  routes.push_back({http::Method::get, "/ping", 0, [](const http::RequestHead&) -> http::Admission {
                      return http::Accepted{[](std::string, http::Responder responder) {
                        std::move(responder).send({.body = "{\"ok\":true}"});
                      }};
                    }});
  routes.push_back({http::Method::post, "/echo", 1 << 20, [](const http::RequestHead&) -> http::Admission {
                      return http::Accepted{[](std::string body, http::Responder responder) {
                        std::move(responder).send({.body = std::to_string(body.size())});
                      }};
                    }});
  routes.push_back({http::Method::get, "/park", 0, [&parked](const http::RequestHead& head) -> http::Admission {
                      return http::Accepted{[&parked, loop = head.loop](std::string, http::Responder responder) {
                        responder.on_client_gone({[](void*, std::uint64_t) {}, nullptr, 0});
                        parked[loop].push_back(std::move(responder));
                      }};
                    }});
  server.value()->start(std::move(routes));
  std::printf("listening on %s\n", server.value()->address().c_str());
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  server.value()->stop();
  return 0;
}
