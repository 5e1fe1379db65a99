#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "weir/http/message.h"

namespace weir::http {

/// Finds the route of a path and method. Immutable after construction, so any thread may ask.
class Router {
 public:
  Router() = default;
  /// Ends the process when a pattern is malformed or given twice for one method: a defect of ours.
  explicit Router(std::vector<Route> routes);

  struct Match {
    const Route* route = nullptr;        ///< null: see `allow`
    const std::string* allow = nullptr;  ///< the methods of a known path; null: unknown path
  };
  /// `captures` is filled when a route was found. A HEAD finds the GET route.
  Match find(Method method, std::string_view path, std::vector<std::string>& captures) const;

 private:
  struct Segment {
    std::string text;
    bool capture = false;
  };
  struct Resource {
    std::vector<Segment> segments;
    std::vector<Route> routes;
    std::string allow;
  };
  static bool matches(const Resource& resource, const std::string_view* segments, std::vector<std::string>& captures);

  std::vector<std::vector<Resource>> by_length_;  // index: number of segments; literals before captures
};

}  // namespace weir::http
