#include "http/router.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>

namespace weir::http {

namespace {

constexpr std::size_t kSegmentsMax = 16;

[[noreturn]] void fail(const char* what, const std::string& pattern) {
  std::fprintf(stderr, "weir: route %s: %s\n", pattern.c_str(), what);
  std::abort();
}

// The segments of "/a/b" or "/a/b/": {a, b}. More than kSegmentsMax: kSegmentsMax + 1.
std::size_t split(std::string_view path, std::array<std::string_view, kSegmentsMax>& segments) {
  if (path.empty() || path[0] != '/') return kSegmentsMax + 1;
  path.remove_prefix(1);
  if (!path.empty() && path.back() == '/') path.remove_suffix(1);
  std::size_t count = 0;
  while (!path.empty()) {
    if (count == kSegmentsMax) return kSegmentsMax + 1;
    const std::size_t slash = std::min(path.find('/'), path.size());
    segments[count++] = path.substr(0, slash);
    if (slash == path.size()) break;
    path.remove_prefix(slash + 1);
    if (path.empty()) return kSegmentsMax + 1;  // "//" at the end
  }
  return count;
}

}  // namespace

Router::Router(std::vector<Route> routes) : by_length_(kSegmentsMax + 1) {
  for (Route& route : routes) {
    std::array<std::string_view, kSegmentsMax> parts;
    const std::size_t count = split(route.pattern, parts);
    if (count > kSegmentsMax) fail("malformed pattern", route.pattern);
    if (!route.begin) fail("nothing serves it", route.pattern);
    std::vector<Segment> segments;
    for (std::size_t i = 0; i < count; ++i) {
      const bool capture = parts[i].starts_with(':');
      if (parts[i].empty() || parts[i] == ":") fail("empty segment", route.pattern);
      segments.push_back({std::string(capture ? parts[i].substr(1) : parts[i]), capture});
    }
    const auto same_path = [&](const Resource& resource) {
      return std::equal(
          segments.begin(), segments.end(), resource.segments.begin(), resource.segments.end(),
          [](const Segment& a, const Segment& b) { return a.capture == b.capture && (a.capture || a.text == b.text); });
    };
    auto& resources = by_length_[count];
    auto place = std::find_if(resources.begin(), resources.end(), same_path);
    if (place == resources.end()) {
      resources.push_back({std::move(segments), {}, {}});
      place = std::prev(resources.end());
    }
    for (const Route& other : place->routes) {
      if (other.method == route.method) fail("given twice", route.pattern);
    }
    place->routes.push_back(std::move(route));
  }
  for (auto& resources : by_length_) {
    for (Resource& resource : resources) {
      bool head = false;
      bool options = false;
      for (const Route& route : resource.routes) {
        resource.allow += std::string(to_string(route.method)) + ", ";
        head = head || route.method == Method::head;
        options = options || route.method == Method::options;
        if (route.method == Method::get &&
            std::none_of(resource.routes.begin(), resource.routes.end(),
                         [](const Route& other) { return other.method == Method::head; })) {
          resource.allow += "HEAD, ";
        }
      }
      if (!options) resource.allow += "OPTIONS, ";
      resource.allow.resize(resource.allow.size() - 2);
    }
    // A literal wins over a capture, decided from the left.
    std::stable_sort(resources.begin(), resources.end(), [](const Resource& a, const Resource& b) {
      return std::lexicographical_compare(a.segments.begin(), a.segments.end(), b.segments.begin(), b.segments.end(),
                                          [](const Segment& x, const Segment& y) { return x.capture < y.capture; });
    });
  }
}

bool Router::matches(const Resource& resource, const std::string_view* segments, std::vector<std::string>& captures) {
  for (std::size_t i = 0; i < resource.segments.size(); ++i) {
    if (!resource.segments[i].capture && resource.segments[i].text != segments[i]) return false;
  }
  captures.clear();
  for (std::size_t i = 0; i < resource.segments.size(); ++i) {
    if (!resource.segments[i].capture) continue;
    auto decoded = percent_decode(segments[i]);
    if (!decoded || decoded->empty()) return false;
    captures.push_back(std::move(*decoded));
  }
  return true;
}

Router::Match Router::find(Method method, std::string_view path, std::vector<std::string>& captures) const {
  std::array<std::string_view, kSegmentsMax> segments;
  const std::size_t count = split(path, segments);
  if (count >= by_length_.size()) return {};
  Match match;
  for (const Resource& resource : by_length_[count]) {
    if (!matches(resource, segments.data(), captures)) continue;
    const Route* get = nullptr;
    for (const Route& route : resource.routes) {
      if (route.method == method) return {&route, &resource.allow};
      if (route.method == Method::get) get = &route;
    }
    if (method == Method::head && get != nullptr) return {get, &resource.allow};
    // A more general pattern may serve the method that this one does not.
    if (match.allow == nullptr) match.allow = &resource.allow;
  }
  return match;
}

}  // namespace weir::http
