#pragma once

#include <string>
#include <string_view>

#include "weir/base/result.h"

namespace weir::app {

struct HttpAnswer {
  unsigned status = 0;
  std::string body;
};

/// One blocking request of the command line to a weir server. `url` is http://HOST[:PORT]; 30 s in all.
/// Errors: bad_request (the URL), overloaded (no connection, no answer; `detail` says which).
Result<HttpAnswer> http_request(std::string_view url, std::string_view method, std::string_view target,
                                std::string_view token, std::string body);

}  // namespace weir::app
