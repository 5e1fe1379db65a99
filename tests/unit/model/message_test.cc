#include "weir/model/message.h"

#include <limits>

#include <gtest/gtest.h>

namespace weir::model {
namespace {

constexpr WallTime kTime{std::chrono::milliseconds{1772439330042}};

TEST(Envelope, HasIdPayloadAndTime) {
  std::string text = "[";
  append_envelope(text, Offset{0}, kTime, R"({"a":1e400})");
  EXPECT_EQ(text, R"([{"message_id":"A0","payload":{"a":1e400},"time":"2026-03-02T08:15:30.042+00:00"})");
}

TEST(Envelope, StaysWithinItsBound) {
  std::string text;
  append_envelope(text, Offset{std::numeric_limits<std::uint64_t>::max()}, kTime, "{}");
  EXPECT_EQ(text, R"({"message_id":"KLygHa16AHYF","payload":{},"time":"2026-03-02T08:15:30.042+00:00"})");
  EXPECT_LE(text.size(), envelope_bytes_max(2));
}

}  // namespace
}  // namespace weir::model
