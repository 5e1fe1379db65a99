#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

#include "weir/core/broker.h"

namespace weir::core {

/// Bounds the memory of pages that have been rendered and not yet been taken by all of their clients. Thread-safe.
class PageBudget {
 public:
  explicit PageBudget(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  /// A page of `bytes`, made by `render()`, that counts until the last who holds it lets go. Null when too much is held
  /// already; a page alone is always allowed, whatever its size.
  template <class Render>
  std::shared_ptr<const Page> make(std::size_t bytes, Render render) {
    const std::size_t before = used_->fetch_add(bytes, std::memory_order_relaxed);
    if (before != 0 && before + bytes > bytes_max_) {
      used_->fetch_sub(bytes, std::memory_order_relaxed);
      return nullptr;
    }
    auto counted = std::make_shared<Counted>(used_, bytes);
    counted->page = render();
    const Page* page = &counted->page;
    return {std::move(counted), page};
  }

 private:
  struct Counted {
    Counted(std::shared_ptr<std::atomic<std::size_t>> total, std::size_t size) : used(std::move(total)), bytes(size) {}
    ~Counted() { used->fetch_sub(bytes, std::memory_order_relaxed); }
    Counted(const Counted&) = delete;
    Counted& operator=(const Counted&) = delete;
    const std::shared_ptr<std::atomic<std::size_t>> used;  // shared: a page may outlive the broker
    const std::size_t bytes;
    Page page;
  };

  const std::size_t bytes_max_;
  const std::shared_ptr<std::atomic<std::size_t>> used_ = std::make_shared<std::atomic<std::size_t>>(0);
};

/// What a reader is told while the budget is spent.
inline Error pages_overloaded() {
  return make_error(Errc::overloaded, "too many answers wait for their clients");
}

}  // namespace weir::core
