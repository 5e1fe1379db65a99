#include "storage_rocksdb/data_folder.h"

#include <cstdlib>

#include <nlohmann/json.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include "unit/storage_rocksdb/store_harness.h"

namespace weir::storage_rocksdb::test {
namespace {

namespace fs = std::filesystem;

class DataFolderTest : public testing::Test, protected StoreHarness {
 protected:
  /// A folder that was in use: two messages in a table file, one in the log.
  void use() {
    open();
    ASSERT_TRUE(store_->create_log(kTopic));
    ASSERT_TRUE(append("a"));
    ASSERT_TRUE(append("b"));
    ASSERT_TRUE(store_->flush_and_compact());
    ASSERT_TRUE(append("c"));
    store_.reset();
  }
  /// Opening fails, names `what`, and leaves every file as it was.
  void expect_refused(const std::string& what) {
    const auto before = contents();
    const auto opened = try_open();
    ASSERT_FALSE(opened) << "opened without " << what;
    EXPECT_EQ(opened.error().code, Errc::data_dir_unusable);
    EXPECT_NE(opened.error().detail.find(what), std::string::npos) << opened.error().detail;
    EXPECT_EQ(contents(), before);
  }
  nlohmann::json format() { return nlohmann::json::parse(bytes_of(data() / "weir.format")); }
  void set_format(const nlohmann::json& format) { write_bytes(data() / "weir.format", format.dump()); }
};

TEST_F(DataFolderTest, ANewFolderIsItsOwnersAlone) {
  use();
  EXPECT_EQ(fs::status(data()).permissions(), fs::perms::owner_all);
}

TEST_F(DataFolderTest, OpeningOftenDoesNotCollectLogs) {
  use();
  for (int i = 0; i < 30; ++i) {
    open();
    if (i % 10 == 0) {
      ASSERT_TRUE(append("more"));
    }
    store_.reset();
  }
  std::size_t logs = 0;
  for (const auto& entry : fs::directory_iterator(data() / "store")) logs += entry.path().extension() == ".log" ? 1 : 0;
  EXPECT_LE(logs, 10u);
  open();
  EXPECT_EQ(read().size(), 6u);
}

TEST_F(DataFolderTest, AnAbsentFolderIsCreated) {
  use();
  const auto written = format();
  EXPECT_EQ(written["product"], "weir");
  EXPECT_EQ(written["format"], 1);
  EXPECT_EQ(written["state"], "ready");
  EXPECT_EQ(written["store_id"].get<std::string>().size(), 36u);
  open();
  EXPECT_EQ(read(), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(format()["store_id"], written["store_id"]);
}

TEST_F(DataFolderTest, AnEmptyFolderIsUsedAndWhatSystemsLeaveThereIsIgnored) {
  fs::create_directories(data() / "lost+found");
  write_bytes(data() / "admin.token", "secret");
  open();
  EXPECT_EQ(bytes_of(data() / "admin.token"), "secret");
}

TEST_F(DataFolderTest, AForeignFolderIsRefused) {
  fs::create_directories(data());
  write_bytes(data() / "holiday.jpg", "bytes");
  expect_refused("holiday.jpg");
  EXPECT_FALSE(fs::exists(data() / "LOCK")) << "not even the lock is left behind";
}

TEST_F(DataFolderTest, AFileInPlaceOfTheFolderIsRefused) {
  write_bytes(data(), "bytes");
  WEIR_EXPECT_REFUSED(try_open(), Errc::data_dir_unusable);
  EXPECT_EQ(bytes_of(data()), "bytes");
}

TEST_F(DataFolderTest, AFolderThatCannotBeCreatedIsRefused) {
  options_.data_dir = "/proc/weir-test";
  WEIR_EXPECT_REFUSED(try_open(), Errc::data_dir_unusable);
}

TEST_F(DataFolderTest, ANewerFormatIsRefused) {
  use();
  auto newer = format();
  newer["format"] = 2;
  set_format(newer);
  expect_refused("format version 2");
}

TEST_F(DataFolderTest, ADamagedFormatFileIsRefused) {
  use();
  const std::string good = bytes_of(data() / "weir.format");
  auto other = format();
  other["product"] = "else";
  auto odd = format();
  odd["state"] = "odd";
  for (const std::string& bad :
       {std::string(), good.substr(0, 10), std::string("[]"), std::string(100, '\0'), other.dump(), odd.dump()}) {
    write_bytes(data() / "weir.format", bad);
    expect_refused("weir.format");
  }
  write_bytes(data() / "weir.format", good);
  open();
  EXPECT_EQ(read().size(), 3u);
}

TEST_F(DataFolderTest, ALostFormatFileIsRefused) {
  use();
  fs::remove(data() / "weir.format");
  expect_refused("weir.format");
}

TEST_F(DataFolderTest, ALostFileOfTheStoreIsRefused) {
  use();
  const auto before = contents();
  std::vector<fs::path> lost = {files() / "CURRENT"};
  for (const char* extension : {".sst", ".log"}) {
    for (const auto& file : files_ending(extension)) lost.push_back(file);
  }
  for (const auto& entry : fs::directory_iterator(files())) {
    if (entry.path().filename().string().starts_with("MANIFEST")) lost.push_back(entry.path());
  }
  ASSERT_GE(lost.size(), 4u);
  for (const fs::path& file : lost) {
    const std::string bytes = bytes_of(file);
    fs::remove(file);
    if (file.extension() == ".log") {
      for (const auto& log : files_ending(".log")) fs::remove(log);
      expect_refused("write-ahead log");
    } else if (file.filename().string().starts_with("MANIFEST")) {
      expect_refused("MANIFEST");
    } else {
      expect_refused(file.extension() == ".sst" ? file.stem().string() : file.filename().string());
    }
    for (const auto& [name, content] : before) write_bytes(name, content);
  }
  open();
  EXPECT_EQ(read(), (std::vector<std::string>{"a", "b", "c"}));
}

TEST_F(DataFolderTest, AShortenedTableFileIsRefused) {
  use();
  for (const fs::path& file : files_ending(".sst")) {
    const std::string bytes = bytes_of(file);
    write_bytes(file, bytes.substr(0, bytes.size() / 2));
    expect_refused(file.stem().string());
    write_bytes(file, bytes);
  }
}

TEST_F(DataFolderTest, ALostStoreFolderIsRefused) {
  use();
  fs::remove_all(files());
  expect_refused("CURRENT");
}

TEST_F(DataFolderTest, AnInterruptedFirstStartBeginsAgain) {
  use();
  auto unfinished = format();
  unfinished["state"] = "initialising";
  // The points at which the process can end before the first store is ready.
  const std::vector<std::function<void()>> points = {
      [&] {},
      [&] { write_bytes(data() / "LOCK", "12345\n"); },
      [&] { write_bytes(data() / "weir.format.tmp", "{\"prod"); },
      [&] { set_format(unfinished); },
      [&] {
        set_format(unfinished);
        fs::create_directories(files());
        write_bytes(files() / "MANIFEST-000001", "half");
      },
      [&] {
        set_format(unfinished);
        fs::create_directories(files());
        write_bytes(files() / "CURRENT", "MANIFEST-000001\n");
        write_bytes(files() / "000004.log", "");
      },
  };
  for (std::size_t i = 0; i < points.size(); ++i) {
    fs::remove_all(data());
    fs::create_directories(data());
    points[i]();
    const auto opened = try_open();
    ASSERT_TRUE(opened) << i << " " << opened.error().detail;
    ASSERT_TRUE(store_->create_log(kTopic));
    ASSERT_TRUE(append("x"));
    reopen();
    EXPECT_EQ(read(), (std::vector<std::string>{"x"})) << i;
    store_.reset();
  }
}

TEST_F(DataFolderTest, ASecondStoreOnTheFolderIsRefused) {
  use();
  open();
  const auto second = RocksStore::open(options_);
  WEIR_EXPECT_REFUSED(second, Errc::data_dir_unusable);
  EXPECT_NE(second.error().detail.find(data().string()), std::string::npos);
  EXPECT_NE(second.error().detail.find(std::to_string(::getpid())), std::string::npos) << second.error().detail;
  ASSERT_TRUE(append("d"));
  store_->close();
  EXPECT_TRUE(RocksStore::open(options_)) << "close gives the folder back, also before the object is gone";
}

TEST_F(DataFolderTest, AnotherProcessHoldsTheFolderUntilItEnds) {
  use();
  int ready[2];
  int go[2];
  ASSERT_EQ(::pipe(ready), 0);
  ASSERT_EQ(::pipe(go), 0);
  const pid_t child = ::fork();
  if (child == 0) {  // exec'ing nothing: only the lock is taken, no threads are started
    const auto held = DataFolder::acquire(data());
    char byte = held ? 'y' : 'n';
    if (::write(ready[1], &byte, 1) != 1 || ::read(go[0], &byte, 1) != 1) ::_exit(1);
    ::_exit(0);
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  ASSERT_EQ(byte, 'y');
  const auto refused = try_open();
  WEIR_EXPECT_REFUSED(refused, Errc::data_dir_unusable);
  EXPECT_NE(refused.error().detail.find(std::to_string(child)), std::string::npos) << refused.error().detail;
  ASSERT_EQ(::write(go[1], &byte, 1), 1);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  open();
  for (const int fd : {ready[0], ready[1], go[0], go[1]}) ::close(fd);
}

}  // namespace
}  // namespace weir::storage_rocksdb::test
