#include "storage_rocksdb/data_folder.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "weir/base/random.h"

namespace weir::storage_rocksdb {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFormatFile = "weir.format";
constexpr const char* kFormatTemporary = "weir.format.tmp";
constexpr const char* kLockFile = "LOCK";

Error unusable(std::string detail) {
  return make_error(Errc::data_dir_unusable, std::move(detail));
}

std::string because(int error) {
  return std::string(": ") + std::strerror(error);
}

/// A file descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

bool sync_folder(const fs::path& path) {
  const Descriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return folder.get() >= 0 && ::fsync(folder.get()) == 0;
}

/// What may lie in a folder that counts as empty: what the system, an operator or an interrupted first start leaves.
bool counts_as_nothing(const fs::path& name) {
  return name == "lost+found" || name == "admin.token" || name == kLockFile || name == kFormatTemporary;
}

/// The name of something that is not ours; empty if there is none.
Result<std::optional<std::string>> find_foreign(const fs::path& path) {
  std::error_code failed;
  fs::directory_iterator entries(path, failed);
  if (failed) return unusable("cannot read the data folder " + path.string() + ": " + failed.message());
  for (; entries != fs::directory_iterator(); entries.increment(failed)) {
    if (failed) break;
    if (!counts_as_nothing(entries->path().filename())) return std::optional(entries->path().filename().string());
  }
  if (failed) return unusable("cannot read the data folder " + path.string() + ": " + failed.message());
  return std::optional<std::string>();
}

Result<bool> has_format_file(const fs::path& path) {
  std::error_code failed;
  const bool there = fs::exists(path / kFormatFile, failed);
  if (failed) return unusable("cannot read the data folder " + path.string() + ": " + failed.message());
  return there;
}

Result<void> refuse_foreign(const fs::path& path) {
  WEIR_TRY(const bool ours, has_format_file(path));
  if (ours) return ok();
  WEIR_TRY(const auto foreign, find_foreign(path));
  if (!foreign) return ok();
  return unusable(
      "the data folder " + path.string() + " holds \"" + *foreign + "\" but no " + kFormatFile +
      ": it is not a data folder of weir, or that file was lost. Nothing was changed. Give an empty folder, "
      "or restore a backup.");
}

}  // namespace

DataFolder::DataFolder(fs::path path, int lock_fd) : path_(std::move(path)), lock_fd_(lock_fd) {}

DataFolder::~DataFolder() {
  ::close(lock_fd_);
}

Result<std::unique_ptr<DataFolder>> DataFolder::acquire(const fs::path& path) {
  std::error_code failed;
  // Messages and the hashes of tokens are nobody else's business. A folder that was there keeps what its owner chose.
  if (fs::create_directories(path, failed) && !failed) fs::permissions(path, fs::perms::owner_all, failed);
  if (failed || !fs::is_directory(path, failed)) {
    return unusable("cannot create the data folder " + path.string() + ": " +
                    (failed ? failed.message() : "it is not a folder"));
  }
  WEIR_TRY(refuse_foreign(path));

  const fs::path lock_path = path / kLockFile;
  Descriptor lock(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (lock.get() < 0) return unusable("cannot write in the data folder " + path.string() + because(errno));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    const int error = errno;
    if (error != EWOULDBLOCK) return unusable("cannot lock the data folder " + path.string() + because(error));
    std::ifstream holder(lock_path);
    std::string pid;
    holder >> pid;
    return unusable("the data folder " + path.string() + " is in use by another process" +
                    (pid.empty() ? "" : " (pid " + pid + ")"));
  }
  std::unique_ptr<DataFolder> folder(new DataFolder(path, lock.release()));
  WEIR_TRY(folder->examine());
  // Only for the message above, so a failure is no reason to stop.
  if (::ftruncate(folder->lock_fd_, 0) == 0) write_all(folder->lock_fd_, std::to_string(::getpid()) + "\n");
  return folder;
}

Result<void> DataFolder::examine() {
  WEIR_TRY(refuse_foreign(path_));  // again, now that nobody else can be creating a store here
  WEIR_TRY(const bool ours, has_format_file(path_));
  if (!ours) return begin();

  const std::string name = (path_ / kFormatFile).string();
  std::ifstream file(name, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  if (!file.good() && !file.eof()) return unusable("cannot read " + name);
  const auto format = nlohmann::json::parse(text, nullptr, false);
  const auto word = [&](const char* key) {
    const auto found = format.find(key);
    return found != format.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  if (!format.is_object() || word("product") != "weir" || !format.contains("format") ||
      !format["format"].is_number_integer()) {
    return unusable(name + " is damaged. Nothing was changed. Restore a backup of the data folder.");
  }
  if (const auto version = format["format"].get<std::int64_t>(); version > kFormatVersion) {
    return unusable("the data folder " + path_.string() + " has format version " + std::to_string(version) +
                    ", this weir reads up to " + std::to_string(kFormatVersion) +
                    ": start the newer weir that wrote it.");
  } else if (version < 1) {
    return unusable(name + " is damaged. Nothing was changed. Restore a backup of the data folder.");
  }
  store_id_ = word("store_id");
  synced_ = word("durability") != "os";
  state_ = word("state");
  if (state_ == "initialising") return begin();  // a first start that did not end: nothing was ever acknowledged
  if (state_ != "ready") return unusable(name + " is damaged: unknown state. Nothing was changed.");
  return check_store();
}

Result<void> DataFolder::begin() {
  std::error_code failed;
  fs::remove_all(store(), failed);
  if (failed) return unusable("cannot clear " + store().string() + ": " + failed.message());
  SystemRandom random;
  store_id_ = random_uuid(random);
  fresh_ = true;
  synced_ = true;
  state_ = "initialising";
  // The folder itself may be new.
  if (!sync_folder(fs::absolute(path_).parent_path())) return unusable("cannot sync the parent of " + path_.string());
  WEIR_TRY(write_format());
  fs::create_directory(store(), failed);  // RocksDB would make it too, after complaining that it is not there
  if (failed) return unusable("cannot create " + store().string() + ": " + failed.message());
  return ok();
}

Result<void> DataFolder::check_store() const {
  const auto missing = [&](const std::string& what) {
    return unusable(what +
                    " is missing although the data folder was in use. Nothing was changed and nothing is created "
                    "in its place. Restore the file or a backup of the data folder.");
  };
  std::error_code failed;
  if (!fs::exists(store() / "CURRENT", failed)) return missing((store() / "CURRENT").string());
  fs::directory_iterator entry(store(), failed);
  for (; !failed && entry != fs::directory_iterator(); entry.increment(failed)) {
    if (entry->path().extension() == ".log") return ok();
  }
  if (failed) return unusable("cannot read " + store().string() + ": " + failed.message());
  return missing("the write-ahead log (*.log) in " + store().string());  // an open store always has one
}

Result<void> DataFolder::mark_ready(bool synced) {
  if (state_ == "ready" && synced == synced_) return ok();
  state_ = "ready";
  synced_ = synced;
  return write_format();
}

Result<void> DataFolder::write_format() const {
  const nlohmann::ordered_json format = {{"product", "weir"},
                                         {"format", kFormatVersion},
                                         {"store_id", store_id_},
                                         {"state", state_},
                                         {"durability", synced_ ? "fsync" : "os"}};
  const fs::path temporary = path_ / kFormatTemporary;
  const fs::path name = path_ / kFormatFile;
  const Descriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (file.get() < 0 || !write_all(file.get(), format.dump(2) + "\n") || ::fsync(file.get()) != 0 ||
      ::rename(temporary.c_str(), name.c_str()) != 0 || !sync_folder(path_)) {
    return unusable("cannot write " + name.string() + because(errno));
  }
  return ok();
}

}  // namespace weir::storage_rocksdb
