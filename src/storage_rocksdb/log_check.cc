#include "storage_rocksdb/log_check.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/crc.hpp>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace weir::storage_rocksdb {
namespace {

namespace fs = std::filesystem;

// The log format (RocksDB's and LevelDB's): blocks of 32 KiB; in them fragments, each a header of 7 bytes and data; a
// fragment never crosses a block, and fewer than 7 bytes at the end of a block are filling. A write is one `full`
// fragment, or `first`, any `middle` and `last`. Its data starts with a sequence number (8 bytes, little-endian) and
// the number of changes (4).
constexpr std::size_t kBlockBytes = 32'768;
constexpr std::size_t kHeaderBytes = 7;
constexpr std::size_t kBatchHeaderBytes = 12;
constexpr std::size_t kSectorBytes = 512;
enum FragmentType : std::uint8_t { zero = 0, full = 1, first = 2, middle = 3, last = 4 };

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t crc32c_by_cpu(const char* data, std::size_t size) {
  std::uint64_t crc = 0xffffffff;
  for (; size >= 8; data += 8, size -= 8) {
    std::uint64_t word;
    std::memcpy(&word, data, sizeof word);
    crc = __builtin_ia32_crc32di(crc, word);
  }
  auto rest = static_cast<std::uint32_t>(crc);
  for (; size > 0; ++data, --size) rest = __builtin_ia32_crc32qi(rest, static_cast<unsigned char>(*data));
  return ~rest;
}
#endif

std::uint32_t crc32c(std::string_view bytes) {
#if defined(__x86_64__)
  static const bool by_cpu = __builtin_cpu_supports("sse4.2");
  if (by_cpu) return crc32c_by_cpu(bytes.data(), bytes.size());
#endif
  boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;
  crc.process_bytes(bytes.data(), bytes.size());
  return crc.checksum();
}

std::uint64_t little_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) value = (value << 8) | static_cast<std::uint8_t>(bytes[i]);
  return value;
}

/// One log, as read.
struct Scan {
  std::uint64_t bytes = 0;       ///< of the file
  std::uint64_t good_bytes = 0;  ///< up to here there are whole writes only
  bool whole = true;             ///< behind them there is nothing but zeros: space that was allocated and never used
  bool absent = false;           ///< not whole: the bytes behind `good_bytes` were never written, rather than changed
  bool write_follows = false;    ///< not whole: a later write is there and intact
  std::optional<std::uint64_t> first_sequence;
  std::optional<std::uint64_t> next_sequence;  ///< what the write after the last whole one must start with
};

class Scanner {
 public:
  explicit Scanner(std::string_view data) : data_(data) {}

  Scan run() {
    scan_.bytes = data_.size();
    while (scan_.whole && position_ < data_.size()) step();
    if (scan_.whole && in_write_) stop(true);
    return scan_;
  }

 private:
  struct Fragment {
    std::uint8_t type = zero;
    std::size_t end = 0;  ///< where its header says that it ends
    std::string_view payload;
  };
  enum class Read { ok, cut, changed };

  std::size_t block_left(std::size_t position) const { return kBlockBytes - position % kBlockBytes; }

  /// The fragment at `position`, of which at least one byte is there.
  Read read(std::size_t position, Fragment& fragment) const {
    const std::size_t left = std::min(block_left(position), data_.size() - position);
    if (left < kHeaderBytes) return Read::cut;
    const auto length = static_cast<std::size_t>(little_endian(data_.substr(position + 4, 2)));
    fragment.type = static_cast<std::uint8_t>(data_[position + 6]);
    fragment.end = position + kHeaderBytes + length;
    if (fragment.type == zero && length == 0) return Read::cut;
    if (kHeaderBytes + length > block_left(position)) return Read::changed;
    // Before the type: its sector may be missing, too, and a fragment that is `changed` lies within the file.
    if (kHeaderBytes + length > left) return Read::cut;
    if (fragment.type < full || fragment.type > last) return Read::changed;
    const std::uint32_t crc = crc32c(data_.substr(position + 6, 1 + length));
    const std::uint32_t masked = ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
    if (masked != static_cast<std::uint32_t>(little_endian(data_.substr(position, 4)))) return Read::changed;
    fragment.payload = data_.substr(position + kHeaderBytes, length);
    return Read::ok;
  }

  void step() {
    if (block_left(position_) < kHeaderBytes) {
      position_ += block_left(position_);
      return;
    }
    Fragment fragment;
    switch (read(position_, fragment)) {
      case Read::cut:
        if (!in_write_ && is_zero(position_, data_.size())) {
          position_ = data_.size();
          return;
        }
        return stop(true, fragment.end);
      case Read::changed: return stop(is_unwritten(position_, fragment.end), fragment.end);
      case Read::ok: break;
    }
    const bool starts = fragment.type == full || fragment.type == first;
    if (starts == in_write_) return stop(false);  // a start inside a write, or a continuation outside of one
    if (starts) {
      batch_header_bytes_ = 0;
      in_write_ = true;
    }
    const std::size_t wanted = std::min(kBatchHeaderBytes - batch_header_bytes_, fragment.payload.size());
    std::memcpy(batch_header_.data() + batch_header_bytes_, fragment.payload.data(), wanted);
    batch_header_bytes_ += wanted;
    position_ += kHeaderBytes + fragment.payload.size();
    if (fragment.type == full || fragment.type == last) finish_write();
  }

  void finish_write() {
    in_write_ = false;
    scan_.good_bytes = position_;
    if (batch_header_bytes_ < kBatchHeaderBytes) return;
    const std::string_view header(batch_header_.data(), batch_header_.size());
    const std::uint64_t sequence = little_endian(header.substr(0, 8));
    if (!scan_.first_sequence) scan_.first_sequence = sequence;
    scan_.next_sequence = sequence + little_endian(header.substr(8, 4));
  }

  /// `claimed_end`: of the fragment that cannot be read.
  void stop(bool absent, std::size_t claimed_end = 0) {
    scan_.whole = false;
    scan_.absent = absent;
    scan_.write_follows = false;
    for (std::size_t at = position_; at < data_.size() && !scan_.write_follows; ++at) {
      if (block_left(at) < kHeaderBytes + kBatchHeaderBytes || data_.size() - at < kHeaderBytes + kBatchHeaderBytes) {
        continue;
      }
      const auto type = static_cast<std::uint8_t>(data_[at + 6]);
      if (type != full && type != first) continue;
      Fragment fragment;
      scan_.write_follows = read(at, fragment) == Read::ok && fragment.payload.size() >= kBatchHeaderBytes;
      // A write inside of the fragment: its length was changed, or it would end before.
      if (scan_.write_follows && at < claimed_end) scan_.absent = false;
    }
  }

  bool is_zero(std::size_t begin, std::size_t end) const {
    return data_.substr(begin, end - begin).find_first_not_of('\0') == std::string_view::npos;
  }

  /// The process may end between two system calls of one write: then its last bytes, and all behind them, are zeros.
  /// And after a power cut pages are missing in any order: what was never written reads as zeros, whole sectors of
  /// them, of which the ends of the fragment may cut the first (what is in front of it was there before) and the last.
  /// JSON has none.
  bool is_unwritten(std::size_t begin, std::size_t end) const {
    if (end - begin > block_left(begin)) return false;  // changed: half of a length is too small, never too large
    if (is_zero(end - 1, data_.size())) return true;
    for (std::size_t at = begin; at < end;) {
      const std::size_t next = std::min(end, (at / kSectorBytes + 1) * kSectorBytes);
      if (is_zero(at, next)) return true;
      at = next;
    }
    return false;
  }

  const std::string_view data_;
  std::size_t position_ = 0;
  bool in_write_ = false;
  std::array<char, kBatchHeaderBytes> batch_header_{};
  std::size_t batch_header_bytes_ = 0;
  Scan scan_;
};

Error unusable(const fs::path& file, const std::string& what) {
  return make_error(Errc::data_dir_unusable, file.string() + what);
}

Result<Scan> scan_file(const fs::path& file) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return unusable(file, std::string(": ") + std::strerror(errno));
  struct ::stat status {};
  void* bytes = MAP_FAILED;
  const bool known = ::fstat(fd, &status) == 0;
  const auto size = static_cast<std::size_t>(status.st_size);
  if (known && size > 0) bytes = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  const int error = errno;
  ::close(fd);
  if (known && size == 0) return Scan{};
  if (bytes == MAP_FAILED) return unusable(file, std::string(": ") + std::strerror(error));
  const Scan scan = Scanner(std::string_view(static_cast<const char*>(bytes), size)).run();
  ::munmap(bytes, size);
  return scan;
}

struct Log {
  std::uint64_t number = 0;
  fs::path path;
  Scan scan{};
};

Result<std::vector<Log>> scan_all(const fs::path& store) {
  std::vector<Log> logs;
  std::error_code failed;
  fs::directory_iterator entry(store, failed);
  for (; !failed && entry != fs::directory_iterator(); entry.increment(failed)) {
    if (entry->path().extension() != ".log") continue;
    const std::string stem = entry->path().stem().string();
    Log log{0, entry->path()};
    const auto [end, error] = std::from_chars(stem.data(), stem.data() + stem.size(), log.number);
    if (error != std::errc() || end != stem.data() + stem.size()) continue;
    logs.push_back(std::move(log));
  }
  if (failed) return unusable(store, ": " + failed.message());
  std::sort(logs.begin(), logs.end(), [](const Log& a, const Log& b) { return a.number < b.number; });
  for (Log& log : logs) {
    WEIR_TRY(log.scan, scan_file(log.path));
  }
  return logs;
}

/// The log whose first write is not the one that must follow the log `index`: the next one with any, if it does not
/// fit.
const Log* misfit_behind(const std::vector<Log>& logs, std::size_t index) {
  for (std::size_t later = index + 1; later < logs.size(); ++later) {
    if (const auto starts = logs[later].scan.first_sequence) {
      const auto wanted = logs[index].scan.next_sequence;
      return wanted && *starts != *wanted ? &logs[later] : nullptr;
    }
  }
  return nullptr;
}

Error gap(const std::vector<Log>& logs, std::size_t index, const Log& next) {
  std::string what = " is not continued by " + next.path.filename().string() + ": ";
  std::string empty;
  for (std::size_t i = index + 1; &logs[i] != &next; ++i) {
    empty += (empty.empty() ? "" : ", ") + logs[i].path.filename().string();
  }
  what +=
      empty.empty() ? "a log between them is missing" : "a log between them is missing or was emptied (" + empty + ")";
  return unusable(logs[index].path, what +
                                        ", or the end of the first or the start of the second: acknowledged messages "
                                        "cannot be read. Nothing was changed. Restore the file or a backup.");
}

bool sync_folder(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool synced = ::fsync(fd) == 0;
  ::close(fd);
  return synced;
}

/// How many of the logs stay; the last of them may have a tail to cut. Changes nothing.
Result<std::size_t> decide(const std::vector<Log>& logs, TailLoss loss, const LogCheckHooks& hooks) {
  std::optional<std::uint64_t> first_needed;
  for (std::size_t i = 0; i < logs.size(); ++i) {
    const Scan& scan = logs[i].scan;
    const Log* const misfit = misfit_behind(logs, i);
    if (scan.whole) {
      if (misfit == nullptr) continue;
      // The engine removes logs that it no longer needs in any order, and the process may end in between.
      if (!first_needed) first_needed = hooks.first_needed();
      if (logs[i].number < *first_needed) continue;
      if (loss == TailLoss::last_write) return gap(logs, i, *misfit);
      return i + 1;
    }
    const bool more_than_the_last_write = scan.write_follows || misfit != nullptr;
    if (!scan.absent || (more_than_the_last_write && loss == TailLoss::last_write)) {
      return unusable(logs[i].path,
                      " is damaged at byte " + std::to_string(scan.good_bytes) +
                          ": acknowledged messages cannot be read. Nothing was changed. Restore a backup, "
                          "or copy the folder and repair the copy.");
    }
    if (more_than_the_last_write) return i + 1;
  }
  return logs.size();
}

}  // namespace

Result<LogCheck> check_logs(const fs::path& store, const fs::path& aside, TailLoss loss, const LogCheckHooks& hooks) {
  WEIR_TRY(const std::vector<Log> logs, scan_all(store));
  // First decide, then change: a refused folder stays as it is.
  WEIR_TRY(const std::size_t kept, decide(logs, loss, hooks));

  // The process may end at any point: what is left must lead the next start to the same decision. So what lies behind
  // the cut goes first, from its end, and durably; only then the reason for it.
  LogCheck result;
  std::error_code failed;
  for (std::size_t i = logs.size(); i-- > kept;) {
    fs::create_directories(aside, failed);
    if (!failed) fs::rename(logs[i].path, aside / logs[i].path.filename(), failed);
    if (failed) return unusable(logs[i].path, ": cannot set it aside: " + failed.message());
    ++result.files_set_aside;
  }
  if (result.files_set_aside > 0 && !(sync_folder(aside) && sync_folder(aside.parent_path()) && sync_folder(store))) {
    return unusable(aside, ": cannot sync");
  }
  for (std::size_t i = 0; i < kept; ++i) {
    const Log& log = logs[i];
    if (log.scan.bytes > log.scan.good_bytes) {
      fs::resize_file(log.path, log.scan.good_bytes, failed);
      if (failed) return unusable(log.path, ": cannot remove what is behind the last write: " + failed.message());
      if (!log.scan.whole) result.bytes_cut += log.scan.bytes - log.scan.good_bytes;
    }
    if (!hooks.sync_file(log.path)) return unusable(log.path, ": cannot sync");
    if (log.scan.next_sequence) result.next_sequence = log.scan.next_sequence;
  }
  return result;
}

}  // namespace weir::storage_rocksdb
