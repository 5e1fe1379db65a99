#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "weir/http/message.h"

namespace weir::api::test {

/// A request's head made by hand. Keep the strings that it views alive.
class FakeHead final : public http::RequestHead {
 public:
  std::string_view header(std::string_view name) const override {
    const auto at = find(name);
    return at == headers_.end() ? std::string_view{} : std::string_view(at->second);
  }
  bool has_header(std::string_view name) const override { return find(name) != headers_.end(); }

  /// `name` in lower case.
  FakeHead& with(std::string name, std::string value) {
    headers_.emplace_back(std::move(name), std::move(value));
    return *this;
  }

 private:
  using Headers = std::vector<std::pair<std::string, std::string>>;
  Headers::const_iterator find(std::string_view name) const {
    return std::find_if(headers_.begin(), headers_.end(), [&](const auto& row) { return row.first == name; });
  }
  Headers headers_;
};

}  // namespace weir::api::test
