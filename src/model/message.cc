#include "weir/model/message.h"

#include <cstring>

#include "weir/model/message_id.h"
#include "weir/model/time.h"

namespace weir::model {
namespace {

constexpr std::string_view kBeforeId = R"({"message_id":")";
constexpr std::string_view kBeforePayload = R"(","payload":)";
constexpr std::string_view kBeforeTime = R"(,"time":")";
constexpr std::string_view kEnd = R"("})";

char* put(char* to, std::string_view text) {
  std::memcpy(to, text.data(), text.size());
  return to + text.size();
}

/// Many messages in a row have one time: those of a batch, those that share a commit. Formatting is half of an
/// envelope.
const char* timestamp_of(WallTime time) noexcept {
  struct Last {
    WallTime time{};
    char text[kTimestampBytes];
    bool known = false;
  };
  thread_local Last last;
  if (!last.known || last.time != time) {
    format_timestamp(time, last.text);
    last.time = time;
    last.known = true;
  }
  return last.text;
}

constexpr std::size_t kHeadBytesMax = kBeforeId.size() + MessageId::kBytesMax + kBeforePayload.size();
constexpr std::size_t kTailBytes = kBeforeTime.size() + kTimestampBytes + kEnd.size();
static_assert(kHeadBytesMax + kTailBytes <= envelope_bytes_max(0));

}  // namespace

void append_envelope(std::string& to, Offset offset, WallTime time, std::string_view payload) {
  // Three appends instead of seven: this runs for every message of every answer.
  char head[kHeadBytesMax];
  char* head_end = put(head, kBeforeId);
  head_end = put(head_end, MessageId(offset).view());
  head_end = put(head_end, kBeforePayload);

  char tail[kTailBytes];
  char* tail_end = put(tail, kBeforeTime);
  tail_end = put(tail_end, {timestamp_of(time), kTimestampBytes});
  tail_end = put(tail_end, kEnd);

  to.append(head, static_cast<std::size_t>(head_end - head));
  to.append(payload);
  to.append(tail, static_cast<std::size_t>(tail_end - tail));
}

}  // namespace weir::model
