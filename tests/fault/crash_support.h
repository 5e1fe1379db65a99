#pragma once

#include <cstdint>
#include <cstdlib>

#include "support/api.h"

namespace weir::test {

inline std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr && *text != '\0' ? std::strtoull(text, nullptr, 10) : otherwise;
}

/// Kills the server `then` from now.
inline void kill_after(Api& api, std::chrono::microseconds then) {
  const auto moment = std::chrono::steady_clock::now() + then;
  while (std::chrono::steady_clock::now() < moment) std::this_thread::yield();
  api.server().kill();
}

/// Starts the killed server again and returns how long it took until it was ready.
inline std::chrono::steady_clock::duration start_again(Api& api) {
  const auto start = std::chrono::steady_clock::now();
  api.client().close();
  api.server().start();
  api.client() = Client(api.server());
  EXPECT_EQ(api.get("/readyz").status, 200);
  const auto ready = std::chrono::steady_clock::now() - start;
  EXPECT_LT(ready, kReadyWithin);
  return ready;
}

}  // namespace weir::test
