#include "app/data_dir.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <string_view>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace weir::app {

namespace fs = std::filesystem;

namespace {

constexpr const char* kAdminToken = "admin.token";
constexpr const char* kAddress = "weir.address";

class File {
 public:
  File(const fs::path& path, int flags, mode_t mode = 0) : descriptor_(::open(path.c_str(), flags | O_CLOEXEC, mode)) {}
  ~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  bool is_open() const noexcept { return descriptor_ >= 0; }
  int descriptor() const noexcept { return descriptor_; }

 private:
  int descriptor_;
};

Error failed(std::string_view name) {
  return make_error(Errc::data_dir_unusable,
                    "cannot write " + std::string(name) + " in the data folder: " + std::string(std::strerror(errno)));
}

/// Replaces the file as a whole: a reader sees the old or the new one.
Result<void> replace(const fs::path& folder, const char* name, const std::string& text, mode_t mode) {
  const fs::path path = folder / name;
  const fs::path temporary = folder / (std::string(name) + ".new");
  ::unlink(temporary.c_str());
  {
    const File file(temporary, O_WRONLY | O_CREAT | O_EXCL, mode);
    if (!file.is_open()) return failed(name);
    const std::string line = text + "\n";
    if (::write(file.descriptor(), line.data(), line.size()) != static_cast<ssize_t>(line.size()) ||
        ::fsync(file.descriptor()) != 0) {
      return failed(name);
    }
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) return failed(name);
  const File directory(folder, O_RDONLY | O_DIRECTORY);
  if (!directory.is_open() || ::fsync(directory.descriptor()) != 0) return failed(name);
  return ok();
}

std::optional<std::string> first_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  if (!file || !std::getline(file, line) || line.empty()) return std::nullopt;
  return line;
}

}  // namespace

Result<void> write_admin_token(const fs::path& data_dir, const std::string& text) {
  return replace(data_dir, kAdminToken, text, 0600);
}

std::optional<std::string> read_admin_token(const fs::path& data_dir) {
  return first_line(data_dir / kAdminToken);
}

Result<void> write_address(const fs::path& data_dir, const std::string& address) {
  return replace(data_dir, kAddress, address, 0644);
}

std::optional<std::string> read_address(const fs::path& data_dir) {
  return first_line(data_dir / kAddress);
}

void remove_address(const fs::path& data_dir) {
  ::unlink((data_dir / kAddress).c_str());
}

bool is_held(const fs::path& data_dir) {
  const File file(data_dir / "LOCK", O_RDWR);
  if (!file.is_open()) return false;
  return ::flock(file.descriptor(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

bool is_data_dir(const fs::path& data_dir) {
  return ::access((data_dir / "weir.format").c_str(), F_OK) == 0;
}

}  // namespace weir::app
