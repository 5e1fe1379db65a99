#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>

#include <rocksdb/file_system.h>

namespace weir::test {

/// The machine's file system with faults: failing calls, a full disk, a power cut that takes what was not synced.
/// Knows only what went through it: use one object from the first open of a folder on. Nothing is really synced, since
/// the power cut is played: tests do not wait for the disk. Safe to call from any thread.
class FaultFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  enum class Call : std::uint8_t { append, sync, allocate };
  enum class Fault : std::uint8_t { io_error, no_space };

  FaultFileSystem() : FileSystemWrapper(rocksdb::FileSystem::Default()), state_(std::make_shared<State>()) {}
  const char* Name() const override { return "FaultFileSystem"; }

  /// The `nth` (from 1) call of this kind from now on fails, and `times - 1` after it; only files whose name ends so.
  /// A failing append writes `keep_bytes` of its data before it fails. A failing allocation (of space ahead of the
  /// writes) is not told to the engine, as the system's is not.
  void fail(Call call, Fault fault, std::uint64_t nth = 1, std::string suffix = ".log",
            std::uint64_t times = std::numeric_limits<std::uint64_t>::max(), std::size_t keep_bytes = 0) {
    const std::lock_guard lock(state_->mutex);
    state_->plans[call] = {fault, nth, times, std::move(suffix), keep_bytes};
  }
  void heal() {
    const std::lock_guard lock(state_->mutex);
    state_->plans.clear();
  }
  /// Calls of this kind, on files whose name ends so, since the last fail() of the kind.
  std::uint64_t failed_calls() const { return state_->failed.load(); }
  /// What the system says about free space; empty: the truth.
  void set_free_bytes(std::optional<std::uint64_t> bytes) {
    const std::lock_guard lock(state_->mutex);
    state_->free_bytes = bytes;
  }

  /// As long as it is held, asking for the free space does not return.
  void hold_free_space(bool hold) {
    state_->hold_free_space = hold;
    state_->hold_free_space.notify_all();
  }
  /// Somebody is held so.
  bool free_space_is_asked() const { return state_->free_space_asked; }

  /// The power is gone: from now on nothing reaches the disk, every call that changes something fails.
  void cut_power() { state_->power = false; }
  /// After the store was destroyed: of each file only what was synced is left, and of the rest any part from its
  /// beginning; or, of a log, which grows ahead of its writes, any of its sectors in a file that ends in zeros or
  /// inside of them. Power is back.
  template <class Random>
  void drop_unsynced(Random& random) {
    const std::lock_guard lock(state_->mutex);
    for (auto& [name, file] : state_->files) {
      std::error_code failed;
      const auto size = std::filesystem::file_size(name, failed);
      if (failed) continue;
      if (name.ends_with(".log") && random() % 2 == 0) {
        leave_sectors(name, file.synced, size, random);
        file.synced = file.written = std::filesystem::file_size(name, failed);
        continue;
      }
      if (size <= file.synced) continue;
      const auto kept = std::uniform_int_distribution<std::uint64_t>(file.synced, size)(random);
      std::filesystem::resize_file(name, random() % 4 == 0 ? file.synced : kept, failed);
      file.synced = file.written = std::filesystem::file_size(name, failed);
    }
    state_->power = true;
  }

  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override {
    if (!state_->power) return dead();
    rocksdb::IOStatus status = FileSystemWrapper::NewWritableFile(name, options, file, debug);
    if (status.ok()) wrap(name, 0, file);
    return status;
  }
  rocksdb::IOStatus ReopenWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                       std::unique_ptr<rocksdb::FSWritableFile>* file,
                                       rocksdb::IODebugContext* debug) override {
    if (!state_->power) return dead();
    rocksdb::IOStatus status = FileSystemWrapper::ReopenWritableFile(name, options, file, debug);
    if (status.ok()) wrap(name, std::filesystem::file_size(name), file);
    return status;
  }
  rocksdb::IOStatus NewDirectory(const std::string& name, const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* folder,
                                 rocksdb::IODebugContext* debug) override {
    rocksdb::IOStatus status = FileSystemWrapper::NewDirectory(name, options, folder, debug);
    if (status.ok()) *folder = std::make_unique<Folder>();
    return status;
  }
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override {
    if (!state_->power) return dead();
    rocksdb::IOStatus status = FileSystemWrapper::RenameFile(from, to, options, debug);
    const std::lock_guard lock(state_->mutex);
    if (const auto found = state_->files.find(from); status.ok() && found != state_->files.end()) {
      state_->files[to] = found->second;
      state_->files.erase(found);
    }
    return status;
  }
  rocksdb::IOStatus DeleteFile(const std::string& name, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override {
    if (!state_->power) return dead();
    rocksdb::IOStatus status = FileSystemWrapper::DeleteFile(name, options, debug);
    const std::lock_guard lock(state_->mutex);
    if (status.ok()) state_->files.erase(name);
    return status;
  }
  rocksdb::IOStatus GetFreeSpace(const std::string& path, const rocksdb::IOOptions& options, std::uint64_t* bytes,
                                 rocksdb::IODebugContext* debug) override {
    if (state_->hold_free_space) {
      state_->free_space_asked = true;
      state_->hold_free_space.wait(true);
      state_->free_space_asked = false;
    }
    {
      const std::lock_guard lock(state_->mutex);
      if (state_->free_bytes) {
        *bytes = *state_->free_bytes;
        return rocksdb::IOStatus::OK();
      }
    }
    return FileSystemWrapper::GetFreeSpace(path, options, bytes, debug);
  }

 private:
  struct Plan {
    Fault fault = Fault::io_error;
    std::uint64_t nth = 0;
    std::uint64_t times = 0;
    std::string suffix;
    std::size_t keep_bytes = 0;
  };
  struct File {
    std::uint64_t written = 0;
    std::uint64_t synced = 0;
  };
  struct State {
    std::mutex mutex;
    std::map<Call, Plan> plans;
    std::map<std::string, File> files;
    std::optional<std::uint64_t> free_bytes;
    std::atomic<std::uint64_t> failed{0};
    std::atomic<bool> power{true};
    std::atomic<bool> hold_free_space{false};
    std::atomic<bool> free_space_asked{false};

    /// The error of this call, if it is to fail, and how much an append still writes.
    std::optional<std::pair<rocksdb::IOStatus, std::size_t>> next(Call call, std::string_view name) {
      if (!power) return std::pair(dead(), std::size_t{0});
      const std::lock_guard lock(mutex);
      const auto found = plans.find(call);
      if (found == plans.end() || !name.ends_with(found->second.suffix)) return std::nullopt;
      Plan& plan = found->second;
      if (plan.nth > 1) {
        --plan.nth;
        return std::nullopt;
      }
      if (plan.times == 0) return std::nullopt;
      --plan.times;
      ++failed;
      return std::pair(plan.fault == Fault::no_space ? rocksdb::IOStatus::NoSpace("fault") : dead(), plan.keep_bytes);
    }
  };

  class WritableFile final : public rocksdb::FSWritableFileOwnerWrapper {
   public:
    WritableFile(std::string name, std::unique_ptr<rocksdb::FSWritableFile> file, std::shared_ptr<State> state)
        : FSWritableFileOwnerWrapper(std::move(file)), name_(std::move(name)), state_(std::move(state)) {}

    rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* debug) override {
      const auto fault = state_->next(Call::append, name_);
      const rocksdb::Slice kept = fault ? rocksdb::Slice(data.data(), std::min(fault->second, data.size())) : data;
      rocksdb::IOStatus status;
      if (!kept.empty()) status = FSWritableFileOwnerWrapper::Append(kept, options, debug);
      if (status.ok()) {
        const std::lock_guard lock(state_->mutex);
        state_->files[name_].written += kept.size();
      }
      return fault ? fault->first : status;
    }
    rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                             const rocksdb::DataVerificationInfo&, rocksdb::IODebugContext* debug) override {
      return Append(data, options, debug);
    }
    void PrepareWrite(std::size_t offset, std::size_t size, const rocksdb::IOOptions& options,
                      rocksdb::IODebugContext* debug) override {
      if (state_->next(Call::allocate, name_)) return;
      FSWritableFileOwnerWrapper::PrepareWrite(offset, size, options, debug);
    }
    rocksdb::IOStatus Sync(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override { return synced(); }
    rocksdb::IOStatus Fsync(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override { return synced(); }
    rocksdb::IOStatus RangeSync(std::uint64_t, std::uint64_t, const rocksdb::IOOptions&,
                                rocksdb::IODebugContext*) override {
      return rocksdb::IOStatus::OK();  // a hint, it promises nothing
    }
    rocksdb::IOStatus Truncate(std::uint64_t size, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override {
      if (!state_->power) return dead();
      return FSWritableFileOwnerWrapper::Truncate(size, options, debug);
    }

   private:
    rocksdb::IOStatus synced() {
      if (auto fault = state_->next(Call::sync, name_)) return fault->first;
      const std::lock_guard lock(state_->mutex);
      auto& file = state_->files[name_];
      file.synced = file.written;
      return rocksdb::IOStatus::OK();
    }

    const std::string name_;
    const std::shared_ptr<State> state_;
  };

  class Folder final : public rocksdb::FSDirectory {
   public:
    rocksdb::IOStatus Fsync(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
      return rocksdb::IOStatus::OK();
    }
    rocksdb::IOStatus Close(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
      return rocksdb::IOStatus::OK();
    }
  };

  template <class Random>
  static void leave_sectors(const std::string& name, std::uint64_t synced, std::uint64_t size, Random& random) {
    constexpr std::uint64_t kSectorBytes = 512;
    std::fstream file(name, std::ios::in | std::ios::out | std::ios::binary);
    for (std::uint64_t begin = synced; begin < size;) {
      const std::uint64_t end = std::min(size, (begin / kSectorBytes + 1) * kSectorBytes);
      if (random() % 2 == 0) {
        file.seekp(static_cast<std::streamoff>(begin));
        file << std::string(end - begin, '\0');
      }
      begin = end;
    }
    file.close();
    std::error_code failed;
    const bool shorter = size > synced && random() % 3 == 0;  // the new size is not there
    std::filesystem::resize_file(name, shorter ? synced + random() % (size - synced) : size + random() % 100'000,
                                 failed);
  }

  static rocksdb::IOStatus dead() { return rocksdb::IOStatus::IOError("fault"); }
  void wrap(const std::string& name, std::uint64_t size, std::unique_ptr<rocksdb::FSWritableFile>* file) {
    {
      const std::lock_guard lock(state_->mutex);
      const std::uint64_t synced = size == 0 ? 0 : std::min(state_->files[name].synced, size);
      state_->files[name] = {size, synced};
    }
    *file = std::make_unique<WritableFile>(name, std::move(*file), state_);
  }

  const std::shared_ptr<State> state_;
};

}  // namespace weir::test
