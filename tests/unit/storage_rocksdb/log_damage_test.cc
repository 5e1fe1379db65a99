#include <random>

#include "unit/storage_rocksdb/store_harness.h"

namespace weir::storage_rocksdb::test {
namespace {

namespace fs = std::filesystem;

/// A folder as kill -9 leaves it: messages in the write-ahead log only.
class LogDamage : public testing::Test, protected StoreHarness {
 protected:
  static constexpr int kMessages = 40;

  void SetUp() override {
    open();
    ASSERT_TRUE(store_->create_log(kTopic));
    for (int i = 0; i < kMessages; ++i) {
      const std::string payload =
          std::to_string(i) + std::string(static_cast<std::size_t>(i % 7 == 0 ? 3000 : 100), 'p');
      ASSERT_TRUE(append(payload));
      sent_.push_back(payload);
    }
    store_.reset();
    ASSERT_EQ(files_ending(".log").size(), 1u);
    log_ = files_ending(".log").front();
    bytes_ = bytes_of(log_);
    saved_ = contents();
  }
  void restore() {
    fs::remove_all(data());
    fs::create_directories(files());
    for (const auto& [name, content] : saved_) write_bytes(name, content);
  }

  fs::path log_;
  std::string bytes_;
  std::vector<std::string> sent_;
  std::map<std::string, std::string> saved_;
};

TEST_F(LogDamage, ACutTailLosesOnlyItself) {
  std::mt19937_64 random(1);
  std::size_t previous = kMessages;
  for (std::size_t cut = 1; cut <= 4096; cut += 1 + random() % 200) {
    restore();
    write_bytes(log_, bytes_.substr(0, bytes_.size() - cut));
    const auto opened = try_open();
    ASSERT_TRUE(opened) << "cut=" << cut << " " << opened.error().detail;
    const auto found = read();
    ASSERT_LE(found.size(), previous) << cut;
    EXPECT_TRUE(std::equal(found.begin(), found.end(), sent_.begin())) << cut;
    EXPECT_GE(found.size() * 140 + cut + 20'000, bytes_.size()) << "more than the tail is gone, cut=" << cut;
    previous = found.size();
    ASSERT_TRUE(append("goes on"));
    reopen();
    EXPECT_EQ(read().back(), "goes on") << "the cut log and the next one stand side by side now";
    store_.reset();
  }
  EXPECT_LT(previous, static_cast<std::size_t>(kMessages));
}

TEST_F(LogDamage, AnyFlippedBitBeforeTheLastWriteIsReported) {
  std::mt19937_64 random(2);
  // Every bit of the first headers (length and type bits are what the engine itself mistakes for a torn end), then a
  // sample of the rest in front of the last write.
  std::vector<std::size_t> bits;
  for (std::size_t bit = 0; bit < 8 * 24; ++bit) bits.push_back(bit);
  for (int i = 0; i < 150; ++i) bits.push_back(random() % (8 * (bytes_.size() - 200)));
  for (const std::size_t bit : bits) {
    restore();
    std::string flipped = bytes_;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    write_bytes(log_, flipped);
    const auto before = contents();
    const auto opened = try_open();
    ASSERT_FALSE(opened) << "bit " << bit << " of byte " << bit / 8;
    EXPECT_EQ(opened.error().code, Errc::data_dir_unusable);
    EXPECT_NE(opened.error().detail.find(log_.filename().string()), std::string::npos) << opened.error().detail;
    EXPECT_EQ(contents(), before) << "a refused folder is left as it is";
  }
}

TEST_F(LogDamage, AFlippedBitInTheLastWriteNeverYieldsWrongData) {
  for (std::size_t byte = bytes_.size() - 120; byte < bytes_.size(); byte += 3) {
    restore();
    std::string flipped = bytes_;
    flipped[byte] = static_cast<char>(flipped[byte] ^ 0x10);
    write_bytes(log_, flipped);
    if (!try_open()) continue;
    const auto found = read();
    EXPECT_TRUE(std::equal(found.begin(), found.end(), sent_.begin())) << byte;
    EXPECT_GE(found.size() + 1, sent_.size()) << byte;
    store_.reset();
  }
}

TEST_F(LogDamage, AHoleOfUnwrittenBytesIsDamageWhenEveryWriteWasSynced) {
  std::string holed = bytes_;
  std::fill(holed.begin() + 1024, holed.begin() + 4096, '\0');
  write_bytes(log_, holed);
  const auto opened = try_open();
  WEIR_EXPECT_REFUSED(opened, Errc::data_dir_unusable);
}

TEST_F(LogDamage, AHoleOfUnwrittenBytesEndsTheLogWhenWritesWereNotSynced) {
  restore();
  options_.durability = Durability::os;
  open();  // from now on the folder says that writes are not synced
  const auto log = files_ending(".log").back();
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(append(std::string(500, 'q')));
  store_.reset();
  std::string holed = bytes_of(log);
  ASSERT_GT(holed.size(), 10'000u);
  std::fill(holed.begin() + 8192, holed.begin() + 12'288, '\0');
  write_bytes(log, holed);
  open();
  const auto found = read();
  EXPECT_GE(found.size(), static_cast<std::size_t>(kMessages) + 10) << "what was in front of the hole";
  EXPECT_LT(found.size(), static_cast<std::size_t>(kMessages) + 40);
  EXPECT_TRUE(std::equal(sent_.begin(), sent_.end(), found.begin()));
  ASSERT_TRUE(append("goes on"));
  reopen();
  EXPECT_EQ(read().size(), found.size() + 1);
}

TEST_F(LogDamage, ADamagedTableIsReportedAndOtherTopicsAreServed) {
  restore();
  options_.memtable_bytes = 64 << 20;
  open();
  const TopicId other{2};
  ASSERT_TRUE(store_->create_log(other));
  ASSERT_TRUE(store_->flush_and_compact());
  ASSERT_TRUE(append(other, {"fine"}));
  store_.reset();
  // The data block comes first in a table file.
  for (const fs::path& table : files_ending(".sst")) {
    std::string damaged = bytes_of(table);
    if (damaged.find("ppppp") == std::string::npos && damaged.size() < 1500) continue;
    damaged[50] = static_cast<char>(damaged[50] ^ 1);
    write_bytes(table, damaged);
  }
  const auto opened = try_open();
  if (!opened) {
    EXPECT_EQ(opened.error().code, Errc::data_dir_unusable);
    return;
  }
  WEIR_EXPECT_REFUSED(try_read(kTopic), Errc::data_corrupt);
  EXPECT_EQ(read(other), (std::vector<std::string>{"fine"}));
}

}  // namespace
}  // namespace weir::storage_rocksdb::test
