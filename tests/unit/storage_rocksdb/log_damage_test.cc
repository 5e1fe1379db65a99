#include <functional>
#include <random>

#include <rocksdb/db.h>

#include "storage_rocksdb/keys.h"
#include "unit/storage_rocksdb/store_harness.h"

namespace weir::storage_rocksdb::test {
namespace {

namespace fs = std::filesystem;

/// A folder as kill -9 leaves it: messages in the write-ahead log only, and behind them the space that was allocated
/// and never used, or nothing, as where the system cannot allocate.
class LogDamage : public testing::TestWithParam<std::size_t>, protected StoreHarness {
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
    write_bytes(log_, bytes_ + unused());
    saved_ = contents();
  }
  void restore() {
    fs::remove_all(data());
    fs::create_directories(files());
    for (const auto& [name, content] : saved_) write_bytes(name, content);
  }

  static std::string unused() { return std::string(GetParam(), '\0'); }

  fs::path log_;
  std::string bytes_;  ///< without the unused ones
  std::vector<std::string> sent_;
  std::map<std::string, std::string> saved_;
};

TEST_P(LogDamage, ACutTailLosesOnlyItself) {
  std::mt19937_64 random(1);
  std::size_t previous = kMessages;
  for (std::size_t cut = 1; cut <= 4096; cut += 1 + random() % 200) {
    restore();
    write_bytes(log_, bytes_.substr(0, bytes_.size() - cut) + unused());
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

TEST_P(LogDamage, AnyFlippedBitBeforeTheLastWriteIsReported) {
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
    write_bytes(log_, flipped + unused());
    const auto before = contents();
    const auto opened = try_open();
    ASSERT_FALSE(opened) << "bit " << bit << " of byte " << bit / 8;
    EXPECT_EQ(opened.error().code, Errc::data_dir_unusable);
    EXPECT_NE(opened.error().detail.find(log_.filename().string()), std::string::npos) << opened.error().detail;
    EXPECT_EQ(contents(), before) << "a refused folder is left as it is";
  }
}

TEST_P(LogDamage, AFlippedBitInTheLastWriteNeverYieldsWrongData) {
  for (std::size_t byte = bytes_.size() - 120; byte < bytes_.size(); byte += 3) {
    restore();
    std::string flipped = bytes_;
    flipped[byte] = static_cast<char>(flipped[byte] ^ 0x10);
    write_bytes(log_, flipped + unused());
    if (!try_open()) continue;
    const auto found = read();
    EXPECT_TRUE(std::equal(found.begin(), found.end(), sent_.begin())) << byte;
    EXPECT_GE(found.size() + 1, sent_.size()) << byte;
    store_.reset();
  }
}

TEST_P(LogDamage, AHoleOfUnwrittenBytesIsDamageWhenEveryWriteWasSynced) {
  std::string holed = bytes_;
  std::fill(holed.begin() + 1024, holed.begin() + 4096, '\0');
  write_bytes(log_, holed + unused());
  const auto opened = try_open();
  WEIR_EXPECT_REFUSED(opened, Errc::data_dir_unusable);
}

TEST_P(LogDamage, AHoleOfUnwrittenBytesEndsTheLogWhenWritesWereNotSynced) {
  restore();
  options_.durability = Durability::os;
  open();  // from now on the folder says that writes are not synced
  const auto log = files_ending(".log").back();
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(append(std::string(500, 'q')));
  store_.reset();
  std::string holed = bytes_of(log);
  ASSERT_GT(holed.size(), 10'000u);
  std::fill(holed.begin() + 8192, holed.begin() + 12'288, '\0');
  write_bytes(log, holed + unused());
  open();
  const auto found = read();
  EXPECT_GE(found.size(), static_cast<std::size_t>(kMessages) + 10) << "what was in front of the hole";
  EXPECT_LT(found.size(), static_cast<std::size_t>(kMessages) + 40);
  EXPECT_TRUE(std::equal(sent_.begin(), sent_.end(), found.begin()));
  ASSERT_TRUE(append("goes on"));
  reopen();
  EXPECT_EQ(read().size(), found.size() + 1);
}

TEST_P(LogDamage, AnUnwrittenEndOfTheLastWriteIsCutAlsoInAPartOfASector) {
  restore();
  open();
  ASSERT_TRUE(append(std::string(2000, 'q')));
  const auto log = files_ending(".log").back();
  store_.reset();
  const std::string bytes = bytes_of(log);
  ASSERT_NE(bytes.size() % 512, 0u);
  for (std::size_t zeros = bytes.size() % 512; zeros < 2000 - 512; zeros += 512) {
    std::string torn = bytes;
    std::fill(torn.end() - static_cast<std::ptrdiff_t>(zeros), torn.end(), '\0');
    write_bytes(log, torn + unused());
    const auto opened = try_open();
    ASSERT_TRUE(opened) << "zeros=" << zeros << " " << opened.error().detail;
    EXPECT_EQ(read(), sent_);
    store_.reset();
    for (const auto& newer : files_ending(".log")) {
      if (newer > log) fs::remove(newer);
    }
  }
}

TEST_P(LogDamage, UnusedSpaceIsNoWrite) {
  open();
  EXPECT_EQ(read(), sent_);
  EXPECT_EQ(bytes_of(log_), bytes_) << "the engine sees whole writes only";
  ASSERT_TRUE(append("goes on"));
  reopen();
  EXPECT_EQ(read().back(), "goes on");
}

TEST_P(LogDamage, ALogOfUnusedSpaceOnlyHoldsNothing) {
  open();
  store_.reset();
  const auto newest = files_ending(".log").back();
  ASSERT_NE(newest, log_);
  write_bytes(newest, unused());
  open();
  EXPECT_EQ(read(), sent_);
}

// A power cut leaves any of the sectors of the write that was not synced. Its first sector holds the end of what was.
TEST_P(LogDamage, OfTheLastWriteAnySectorsMayBeMissing) {
  std::mt19937_64 random(3);
  for (std::size_t shift = 0; shift < 512; shift += 1 + random() % 15) {
    // The same write at every place of a sector, in a log of its own: what is in front of it is of another length.
    restore();
    open();
    ASSERT_TRUE(append(std::string(1 + shift, 'a')));
    const auto log = files_ending(".log").back();
    const std::size_t begin = bytes_of(log).find_last_not_of('\0') + 1;
    ASSERT_TRUE(append(std::string(shift % 3 == 0 ? 40'000 : 900, 'q')));
    store_.reset();
    const std::string whole = bytes_of(log);
    std::string torn = whole;
    for (std::size_t at = begin; at < torn.size();) {
      const std::size_t end = std::min(torn.size(), (at / 512 + 1) * 512);
      if (random() % 2 == 0) torn.replace(at, end - at, end - at, '\0');
      at = end;
    }
    if (random() % 2 == 0) torn.resize(begin + random() % (torn.size() - begin + 1));  // the new size is not there
    write_bytes(log, torn + unused());
    const auto opened = try_open();
    ASSERT_TRUE(opened) << "shift=" << shift << " " << opened.error().detail;
    EXPECT_EQ(read().size(), sent_.size() + (torn == whole ? 2 : 1)) << shift;
    store_.reset();
  }
}

// The length of the record is there and its type, in the next sector, is not; and the file is too short for it.
TEST_P(LogDamage, AHeaderInTwoSectorsOfAFileThatIsTooShortIsCut) {
  restore();
  open();
  ASSERT_TRUE(append(std::string(200, 'a')));
  const auto log = files_ending(".log").back();
  const auto end_of_log = [&] { return bytes_of(log).find_last_not_of('\0') + 1; };
  const std::size_t before = end_of_log();
  ASSERT_TRUE(append(std::string(200, 'a')));
  const std::size_t after = end_of_log();
  // One more, so long that the next header has 6 bytes in front of the end of a sector.
  ASSERT_TRUE(append(std::string(200 + (2 * 512 - 6 - (after + after - before) % 512) % 512, 'a')));
  const std::size_t begin = end_of_log();
  ASSERT_EQ(begin % 512, 512u - 6);
  ASSERT_TRUE(append(std::string(2000, 'q')));
  store_.reset();
  const std::string whole = bytes_of(log);
  for (const std::size_t size : {begin + 6, begin + 7, begin + 100, begin + 518, begin + 700, whole.size() - 1}) {
    std::string torn = whole.substr(0, size);
    const std::size_t missing = std::min(size - begin - 6, std::size_t{512});
    torn.replace(begin + 6, missing, missing, '\0');
    write_bytes(log, torn + unused());
    const auto opened = try_open();
    ASSERT_TRUE(opened) << "size=" << size << " " << opened.error().detail;
    EXPECT_EQ(read().size(), sent_.size() + 3) << size;
    store_.reset();
    for (const auto& newer : files_ending(".log")) {
      if (newer > log) fs::remove(newer);
    }
  }
}

TEST_P(LogDamage, ALengthThatReachesBehindTheFileHidesNoWritesThatWereNotSynced) {
  restore();
  options_.durability = Durability::os;
  open();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(append(std::string(200, 'q')));
  store_.reset();
  const auto log = files_ending(".log").back();
  std::string damaged = bytes_of(log);
  ASSERT_GT(damaged.size(), 20 * 200u);
  ASSERT_LT(damaged.size(), 0x2000u) << "the length will be larger";
  const std::size_t second = 7 + static_cast<std::uint8_t>(damaged[4]) + 256 * static_cast<std::uint8_t>(damaged[5]);
  damaged[second + 5] ^= 0x20;
  write_bytes(log, damaged + unused());
  const auto before = contents();
  WEIR_EXPECT_REFUSED(try_open(), Errc::data_dir_unusable);
  EXPECT_EQ(contents(), before);
}

// What is written ends in zeros: a state of a log, a key, a count. They must not pass for bytes that were not written.
TEST_P(LogDamage, AFlippedBitInTheLastWriteIsReportedWhateverThatHolds) {
  const auto claim = [this] {
    Append append;
    append.topic = kTopic;
    append.claim = std::make_unique<Claim>();
    Completion<Appended> end;
    store_->append(std::move(append), end.callback());
    return wait(end).has_value();
  };
  const std::string zeros(3, '\0');
  options_.reclaim_compact_bytes = std::uint64_t{1} << 40;  // it would begin another log
  const std::vector<std::function<bool()>> writes = {
      [&] { return trim(kTopic, 7).has_value(); },
      [&] { return store_->create_log(TopicId{2}).has_value(); },
      [&] {
        return store_->write({{storage::Table::meta, "k", zeros}}).has_value();
      },
      [&] {
        return store_->write({{storage::Table::meta, "k" + zeros, std::nullopt}}).has_value();
      },
      claim,
  };
  for (std::size_t i = 0; i < writes.size(); ++i) {
    restore();
    open();
    ASSERT_TRUE(append("x"));
    const auto log = files_ending(".log").back();
    const std::size_t begin = bytes_of(log).find_last_not_of('\0') + 1;
    ASSERT_TRUE(writes[i]()) << i;
    store_.reset();
    const std::string whole = bytes_of(log);
    ASSERT_GT(whole.size(), begin + 7) << i;
    for (std::size_t byte = begin; byte < whole.size(); ++byte) {
      if (byte == begin + 4 || byte == begin + 5) continue;  // a length may stand for a cut write
      for (int bit = 0; bit < 8; bit += 1 + static_cast<int>(byte % 3)) {
        std::string flipped = whole;
        flipped[byte] = static_cast<char>(flipped[byte] ^ (1 << bit));
        write_bytes(log, flipped + unused());
        EXPECT_FALSE(try_open()) << "write " << i << " byte " << byte - begin << " bit " << bit;
        if (store_) return;
      }
    }
    for (const std::size_t bit : {0, 3, 7}) {
      std::string flipped = whole;
      flipped.back() = static_cast<char>(flipped.back() ^ (1 << bit));
      write_bytes(log, flipped + unused());
      ASSERT_FALSE(try_open()) << "write " << i << ", the last byte";
    }
    write_bytes(log, whole + unused());
    open();
    EXPECT_EQ(bytes_of(log), whole) << "nothing of a whole write is cut";
    store_.reset();
  }
}

// As weir wrote them before each write got a last byte that is not zero.
TEST_P(LogDamage, ALogWhoseWritesEndInZerosIsReadToItsEnd) {
  restore();
  {
    std::vector<rocksdb::ColumnFamilyDescriptor> families;
    for (const char* name : {"default", "messages", "logs", "claims"}) families.push_back({name, {}});
    rocksdb::DBOptions options;
    options.avoid_flush_during_recovery = options.avoid_flush_during_shutdown = true;
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    rocksdb::DB* opened = nullptr;
    ASSERT_TRUE(rocksdb::DB::Open(options, files().string(), families, &handles, &opened).ok());
    const std::unique_ptr<rocksdb::DB> db(opened);
    for (const char* key : {"a", "b"}) {
      ASSERT_TRUE(db->Put({}, keyed_key(storage::Table::meta, key), std::string(5, '\0')).ok());
    }
    for (auto* handle : handles) ASSERT_TRUE(db->DestroyColumnFamilyHandle(handle).ok());
    ASSERT_TRUE(db->Close().ok());
  }
  const auto log = files_ending(".log").back();
  write_bytes(log, bytes_of(log) + unused());
  open();
  EXPECT_EQ(read(), sent_);
  for (const char* key : {"a", "b"}) {
    const auto value = store_->get(storage::Table::meta, key);
    ASSERT_TRUE(value && value.value());
    EXPECT_EQ(*value.value(), std::string(5, '\0'));
  }
}

INSTANTIATE_TEST_SUITE_P(Space, LogDamage, testing::Values(std::size_t{0}, std::size_t{100'000}),
                         [](const auto& instance) { return instance.param == 0 ? "Exact" : "Ahead"; });

/// Several logs, one from each life of the store.
class LogsInARow : public testing::Test, protected StoreHarness {
 protected:
  void live(int lives, int messages = 5) {
    for (int life = 0; life < lives; ++life) {
      open();
      if (sent_.empty()) {
        ASSERT_TRUE(store_->create_log(kTopic));
      }
      for (int i = 0; i < messages; ++i) {
        sent_.push_back(std::to_string(sent_.size()) + std::string(300, 'p'));
        ASSERT_TRUE(append(sent_.back()));
      }
      if (life % 2 == 0) store_->close();
      store_.reset();
    }
    for (const auto& log : files_ending(".log")) {
      if (fs::file_size(log) > 0) logs_.push_back(log);
      fs::resize_file(log, fs::file_size(log) + unused_bytes_);
    }
  }
  void expect_refused(const std::string& named) {
    const auto before = contents();
    const auto opened = try_open();
    ASSERT_FALSE(opened) << named;
    EXPECT_EQ(opened.error().code, Errc::data_dir_unusable);
    EXPECT_NE(opened.error().detail.find(named), std::string::npos) << opened.error().detail;
    EXPECT_EQ(contents(), before) << "a refused folder is left as it is";
  }
  std::vector<std::string> first(std::size_t count) const {
    return {sent_.begin(), sent_.begin() + static_cast<std::ptrdiff_t>(count)};
  }

  std::vector<std::string> sent_;
  std::vector<fs::path> logs_;
  std::size_t unused_bytes_ = 0;  ///< at the end of each log
};

TEST_F(LogsInARow, AMissingOrEmptiedOrShortenedLogBetweenOthersIsRefused) {
  live(4);
  ASSERT_EQ(logs_.size(), 4u);
  for (std::size_t i = 1; i + 1 < logs_.size(); ++i) {
    const std::string bytes = bytes_of(logs_[i]);
    fs::remove(logs_[i]);
    expect_refused(logs_[i - 1].filename());
    write_bytes(logs_[i], "");
    expect_refused(logs_[i].filename());
    write_bytes(logs_[i], bytes.substr(0, bytes.size() / 2));
    expect_refused(logs_[i].filename());
    write_bytes(logs_[i], bytes);
  }
  open();
  EXPECT_EQ(read(), sent_);
}

TEST_F(LogsInARow, UnusedSpaceBetweenThemHidesNoGap) {
  unused_bytes_ = 50'000;
  live(4);
  ASSERT_EQ(logs_.size(), 4u);
  for (std::size_t i = 1; i + 1 < logs_.size(); ++i) {
    const std::string bytes = bytes_of(logs_[i]);
    write_bytes(logs_[i], std::string(unused_bytes_, '\0'));
    expect_refused(logs_[i].filename());
    std::string shortened = bytes;
    std::fill(shortened.begin() + 1000, shortened.end(), '\0');
    write_bytes(logs_[i], shortened);
    expect_refused(logs_[i].filename());
    write_bytes(logs_[i], bytes);
  }
  open();
  EXPECT_EQ(read(), sent_);
}

TEST_F(LogsInARow, ASyncedLogThatTheEngineLeftIsMissed) {
  options_.memtable_bytes = 1 << 20;
  open();
  ASSERT_TRUE(store_->create_log(kTopic));
  // The state of the topic is in the first log only, so that one is needed; nothing is in front of it to compare with.
  for (int i = 0; i < 120; ++i) ASSERT_TRUE(append(std::string(12'000, 'p')));
  store_.reset();
  const auto logs = files_ending(".log");
  ASSERT_EQ(logs.size(), 2u);
  const std::string number = "log number: " + std::to_string(std::stoi(logs.front().stem()));
  const std::string bytes = bytes_of(logs.front());
  for (const std::size_t kept : {bytes.size() / 2, std::size_t{0}}) {
    write_bytes(logs.front(), bytes.substr(0, kept));
    expect_refused(kept > 0 ? logs.front().filename().string() : number);
  }
  fs::remove(logs.front());
  expect_refused(number);
  write_bytes(logs.front(), bytes);
  open();
  EXPECT_EQ(read().size(), 120u);
}

TEST_F(LogsInARow, AMissingLogEndsThemWhenWritesWereNotSynced) {
  options_.durability = Durability::os;
  live(4);
  const auto left = first(5);
  const std::string saved = bytes_of(logs_[3]);
  fs::remove(logs_[1]);
  open();
  EXPECT_EQ(read(), left);
  EXPECT_TRUE(fs::exists(data() / "unsynced" / logs_[2].filename()));
  EXPECT_EQ(bytes_of(data() / "unsynced" / logs_[3].filename()), saved);
  ASSERT_TRUE(append("goes on"));
  reopen();
  EXPECT_EQ(read().back(), "goes on");
  EXPECT_EQ(read().size(), left.size() + 1);
}

// Setting the later logs aside ended in between: the newest is gone already, the cut is not made.
TEST_F(LogsInARow, AnInterruptedCutIsFinishedByTheNextStart) {
  options_.durability = Durability::os;
  live(4);
  std::string holed = bytes_of(logs_[1]);
  std::fill(holed.begin() + 512, holed.begin() + 1536, '\0');
  write_bytes(logs_[1], holed);
  fs::create_directories(data() / "unsynced");
  fs::rename(logs_[3], data() / "unsynced" / logs_[3].filename());
  open();
  const auto found = read();
  EXPECT_EQ(found, first(found.size()));
  EXPECT_GE(found.size(), 5u);
  EXPECT_LT(found.size(), 10u);
  EXPECT_FALSE(fs::exists(logs_[2]));
  ASSERT_TRUE(append("goes on"));
  reopen();
  EXPECT_EQ(read().size(), found.size() + 1);
}

// The tables may know of writes whose log was lost, since its writes were not synced; the numbers go on behind these.
TEST_F(LogsInARow, NumbersThatOnlyTheTablesKnowAreNoGapLater) {
  options_.durability = Durability::os;
  options_.memtable_bytes = 64 << 10;
  open();
  const TopicId small{2};
  ASSERT_TRUE(store_->create_log(kTopic));
  ASSERT_TRUE(store_->create_log(small));
  for (const std::uintmax_t part : {2, 100}) {
    for (int i = 0; i < 30; ++i) ASSERT_TRUE(append(std::string(8000, 'p')));
    store_.reset();
    const auto newest = files_ending(".log").back();
    fs::resize_file(newest, fs::file_size(newest) / part);
    open();
    auto expected = read();
    for (int life = 0; life < 4; ++life) {
      expected.push_back("life " + std::to_string(life));
      ASSERT_TRUE(append(expected.back()));
      ASSERT_TRUE(store_->write({{storage::Table::meta, "k", std::to_string(life)}}));
      reopen();
      EXPECT_EQ(read(), expected);
      EXPECT_FALSE(fs::exists(data() / "unsynced"));
    }
  }
}

TEST_F(LogsInARow, ReopeningAFullStoreLeavesNoGap) {
  open();
  ASSERT_TRUE(store_->create_log(kTopic));
  for (std::size_t kept = 0; kept < 200; kept += 11) {
    ASSERT_TRUE(append("a" + std::string(100, 'p')));
    file_system_->fail(FaultFileSystem::Call::append, FaultFileSystem::Fault::no_space, 1, ".log", 1, kept);
    WEIR_EXPECT_REFUSED(append(kTopic, {"b", std::string(100, 'q')}), Errc::storage_full);
    clock_.advance(milliseconds{1000});
    ASSERT_TRUE(append("c"));
  }
  const auto all = read();
  reopen();
  EXPECT_EQ(read(), all);
}

// The engine removes several logs in any order; an end of the process in between is no damage.
TEST_F(LogsInARow, AGapInFrontOfTheLogsThatAreNeededIsNone) {
  unused_bytes_ = 50'000;
  live(3);
  const std::string old = bytes_of(logs_[0]);
  open();
  ASSERT_TRUE(store_->flush_and_compact());
  sent_.push_back("last");
  ASSERT_TRUE(append(sent_.back()));
  store_.reset();
  ASSERT_FALSE(fs::exists(logs_[0]));
  ASSERT_FALSE(fs::exists(logs_[1]));
  write_bytes(logs_[0], old);
  open();
  EXPECT_EQ(read(), sent_);
}

TEST_F(LogsInARow, AGapInFrontOfTheLogsThatAreNeededIsNoneAlsoBesideAnIncompleteWrite) {
  unused_bytes_ = 50'000;
  live(3);
  const std::string old = bytes_of(logs_[0]);
  open();
  ASSERT_TRUE(store_->flush_and_compact());
  sent_.push_back("last");
  ASSERT_TRUE(append(sent_.back()));
  ASSERT_TRUE(append(std::string(900, 'q')));
  store_.reset();
  ASSERT_FALSE(fs::exists(logs_[0]));
  write_bytes(logs_[0], old);
  const auto newest = files_ending(".log").back();
  std::string torn = bytes_of(newest);
  for (const bool ahead : {true, false}) {
    if (ahead) {
      std::fill(torn.end() - 600, torn.end(), '\0');
      write_bytes(newest, torn + std::string(unused_bytes_, '\0'));
    } else {
      write_bytes(logs_[0], old);
      write_bytes(newest, torn.substr(0, torn.size() - 650));
      for (const auto& newer : files_ending(".log")) {
        if (newer > newest) fs::remove(newer);
      }
    }
    open();
    EXPECT_EQ(read(), sent_);
    store_.reset();
  }
}

TEST_P(LogDamage, ADamagedTableIsReportedAndOtherTopicsAreServed) {
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
