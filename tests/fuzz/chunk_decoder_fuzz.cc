#include <algorithm>
#include <cstdint>
#include <string>

#include "weir/base/assert.h"

#include "http/request_parser.h"

using namespace weir::http;  // NOLINT: one file, one target

namespace {

constexpr std::uint64_t kBodyBytesMax = 512;

struct Decoded {
  ChunkDecoder::Outcome outcome = ChunkDecoder::Outcome::need_more;
  std::string body;
  std::size_t taken = 0;
};

Decoded decode(std::string_view bytes, std::size_t step) {
  ChunkDecoder decoder;
  Decoded decoded;
  while (decoded.taken < bytes.size() && decoded.outcome == ChunkDecoder::Outcome::need_more) {
    std::string_view piece = bytes.substr(decoded.taken, step);
    const std::size_t offered = piece.size();
    decoded.outcome = decoder.decode(piece, &decoded.body, kBodyBytesMax);
    WEIR_ASSERT(piece.empty() || decoded.outcome != ChunkDecoder::Outcome::need_more);
    decoded.taken += offered - piece.size();
    WEIR_ASSERT(decoder.decoded_bytes() == decoded.body.size());
  }
  WEIR_ASSERT(decoded.body.size() <= kBodyBytesMax);
  return decoded;
}

std::string encode(std::string_view body) {
  std::string encoded;
  for (std::size_t at = 0; at < body.size(); at += 7) {
    const std::string_view chunk = body.substr(at, 7);
    encoded.push_back(static_cast<char>('0' + chunk.size()));
    encoded.append("\r\n").append(chunk).append("\r\n");
  }
  return encoded + "0\r\n\r\n";
}

}  // namespace

// The first byte says how the rest comes in. However it is cut, it decodes to the same body with the same bytes left
// over for the next request; and a body survives being put into chunks.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::size_t step = 1 + data[0] % 64;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Decoded whole = decode(bytes, bytes.size());
  const Decoded pieces = decode(bytes, step);
  WEIR_ASSERT(whole.outcome == pieces.outcome && whole.body == pieces.body && whole.taken == pieces.taken);

  const std::string_view body = bytes.substr(0, static_cast<std::size_t>(kBodyBytesMax));
  const std::string encoded = encode(body);
  const Decoded again = decode(encoded + "next", step);
  WEIR_ASSERT(again.outcome == ChunkDecoder::Outcome::complete && again.body == body);
  WEIR_ASSERT(again.taken == encoded.size());
  return 0;
}
