#include "storage_rocksdb/keys.h"

#include <gtest/gtest.h>

namespace weir::storage_rocksdb {
namespace {

template <std::size_t Size>
std::string text(const std::array<char, Size>& bytes) {
  return {bytes.data(), Size};
}
std::string bytes(std::initializer_list<int> values) {
  std::string all;
  for (const int value : values) all += static_cast<char>(value);
  return all;
}

// What is on the disks of users: these bytes change only together with the format version.
TEST(Keys, AreTheBytesOfFormatVersionOne) {
  EXPECT_EQ(text(message_key(0x0102, 0xfffefdfcfbfaf9f8u)),
            bytes({0, 0, 0, 0, 0, 0, 1, 2, 0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0xfa, 0xf9, 0xf8}));
  EXPECT_EQ(text(log_key(258)), bytes({0, 0, 0, 0, 0, 0, 1, 2}));
  Digest digest{};
  digest[0] = 0xab;
  digest[31] = 0xcd;
  EXPECT_EQ(text(claim_key(1, digest)), bytes({0, 0, 0, 0, 0, 0, 0, 1, 0xab}) + std::string(30, '\0') + bytes({0xcd}));
  EXPECT_EQ(text(message_header(0x0102, 3)), bytes({1, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 3}));
  EXPECT_EQ(encode_log_state({1, 2, -1, 3, 1}), bytes({1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2}) +
                                                    std::string(8, '\xff') +
                                                    bytes({0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 1}));
  EXPECT_EQ(encode_claim({5, digest, 6, 7, "memo"}), bytes({1, 0, 0, 0, 0, 0, 0, 0, 5, 0xab}) + std::string(30, '\0') +
                                                         bytes({0xcd, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 7}) + "memo");
  EXPECT_EQ(keyed_key(storage::Table::tokens, "k"), bytes({2, 'k'}));
}

TEST(Keys, SortAsTopicsAndOffsetsDo) {
  EXPECT_LT(text(message_key(1, ~0ull)), text(message_key(2, 0)));
  EXPECT_LT(text(message_key(2, 255)), text(message_key(2, 256)));
}

TEST(Keys, DecodeWhatWasEncoded) {
  const auto key = decode_message_key(text(message_key(7, 1ull << 40)));
  ASSERT_TRUE(key);
  EXPECT_EQ(key->topic, 7u);
  EXPECT_EQ(key->offset, 1ull << 40);
  const std::string value = text(message_header(-5, 1234)) + "payload";
  const auto message = decode_message(value);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->time_ms, -5);
  EXPECT_EQ(message->cumulative_bytes, 1234u);
  EXPECT_EQ(message->payload, "payload");
  EXPECT_EQ(decode_log_state(encode_log_state(LogState{})), LogState{});
  const LogState state{3, 9, 77, 1000, 2};
  EXPECT_EQ(decode_log_state(encode_log_state(state)), state);
  const auto claim = decode_claim(encode_claim({5, Digest{1, 2}, 6, 7, "memo"}));
  ASSERT_TRUE(claim);
  EXPECT_EQ(claim->time_ms, 5);
  EXPECT_EQ(claim->fingerprint, (Digest{1, 2}));
  EXPECT_EQ(claim->first, 6u);
  EXPECT_EQ(claim->count, 7u);
  EXPECT_EQ(claim->memo, "memo");
  EXPECT_EQ(decode_claim_time(encode_claim({5, {}, 6, 7, {}})), 5);
}

TEST(Keys, RefuseEveryOtherLengthAndFormat) {
  const std::string state = encode_log_state({1, 2, 3, 4, 2});
  const std::string claim = encode_claim({});
  const std::string message = text(message_header(1, 2));
  for (std::size_t size = 0; size < state.size(); ++size) EXPECT_FALSE(decode_log_state(state.substr(0, size)));
  for (std::size_t size = 0; size < claim.size(); ++size) EXPECT_FALSE(decode_claim(claim.substr(0, size)));
  for (std::size_t size = 0; size < message.size(); ++size) EXPECT_FALSE(decode_message(message.substr(0, size)));
  for (std::size_t size = 0; size < 16; ++size) EXPECT_FALSE(decode_message_key(std::string(size, 'k')));
  EXPECT_FALSE(decode_log_state(state + "x"));
  EXPECT_FALSE(decode_log_key("123456789"));
  for (std::string bad : {state, claim, message}) {
    bad[0] = 2;
    EXPECT_FALSE(decode_log_state(bad));
    EXPECT_FALSE(decode_claim(bad));
    EXPECT_FALSE(decode_claim_time(bad));
    EXPECT_FALSE(decode_message(bad));
  }
  EXPECT_FALSE(decode_log_state(encode_log_state({3, 2, 0, 0, 0}))) << "a log start behind the log end";
  EXPECT_FALSE(decode_log_state(encode_log_state({0, 2, 0, 0, 3}))) << "a published base behind the log end";
}

}  // namespace
}  // namespace weir::storage_rocksdb
