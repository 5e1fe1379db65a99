#include "http/context.h"

#include <algorithm>
namespace weir::http {

namespace {
constexpr std::size_t kBlockBytesMin = 16 * 1024;
constexpr std::size_t kTrashBytes = 64 * 1024;
}  // namespace

LoopContext::LoopContext(std::shared_ptr<Shared> server, std::size_t index)
    : shared(std::move(server)),
      loop(index, shared->clock),
      block_bytes(std::max(kBlockBytesMin, shared->options.header_bytes_max + 1024)),
      trash(kTrashBytes, '\0') {}

LoopContext::~LoopContext() = default;

std::string_view LoopContext::date() {
  if (const SteadyTime time = loop.time(); time != date_time_) {
    date_time_ = time;
    date_text_ = date_.at(shared->clock.wall_now());
  }
  return date_text_;
}

std::unique_ptr<char[]> LoopContext::acquire_block() {
  if (blocks_.empty()) return std::make_unique_for_overwrite<char[]>(block_bytes);
  auto block = std::move(blocks_.back());
  blocks_.pop_back();
  return block;
}

void LoopContext::release_block(std::unique_ptr<char[]> block) {
  if (block != nullptr && blocks_.size() < kBlocksKept) blocks_.push_back(std::move(block));
}

std::unique_ptr<Exchange> LoopContext::acquire_exchange() {
  if (exchanges_.empty()) return std::make_unique<Exchange>();
  auto exchange = std::move(exchanges_.back());
  exchanges_.pop_back();
  return exchange;
}

void LoopContext::release_exchange(std::unique_ptr<Exchange> exchange) {
  if (exchange == nullptr || exchanges_.size() >= kExchangesKept) return;
  exchange->text.clear();
  exchange->headers.clear();
  exchange->hook = {};
  exchanges_.push_back(std::move(exchange));
}

void LoopContext::requests_done(std::size_t count) {
  if (count == 0) return;
  const std::size_t left = requests_open.load(std::memory_order_relaxed) - count;
  requests_open.store(left);
  if (left == 0 && shared->draining.load()) {
    std::lock_guard lock(shared->drain_mutex);
    shared->drain_changed.notify_all();
  }
}

}  // namespace weir::http
