#pragma once

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

namespace weir {

template <class Signature, std::size_t InlineBytes = 48>
class UniqueFunction;

/// A move-only callable, called at most as often as its target allows; completions are called once.
/// Targets up to `InlineBytes` that move without throwing live inside, so that the publish path allocates nothing for
/// its callbacks (std::move_only_function is C++23, std::function copies and allocates above 16 bytes).
template <class R, class... Args, std::size_t InlineBytes>
class UniqueFunction<R(Args...), InlineBytes> {
 public:
  UniqueFunction() noexcept = default;
  UniqueFunction(std::nullptr_t) noexcept {}  // NOLINT(google-explicit-constructor)

  template <class F, class = std::enable_if_t<!std::is_same_v<std::decay_t<F>, UniqueFunction> &&
                                              std::is_invocable_r_v<R, std::decay_t<F>&, Args...>>>
  UniqueFunction(F&& target) {  // NOLINT(google-explicit-constructor)
    using Target = std::decay_t<F>;
    if constexpr (sizeof(Target) <= InlineBytes && alignof(Target) <= alignof(std::max_align_t) &&
                  std::is_nothrow_move_constructible_v<Target>) {
      ::new (static_cast<void*>(storage_)) Target(std::forward<F>(target));
      operations_ = &kInline<Target>;
    } else {
      ::new (static_cast<void*>(storage_)) Target*(new Target(std::forward<F>(target)));
      operations_ = &kHeap<Target>;
    }
  }

  UniqueFunction(UniqueFunction&& other) noexcept { take(other); }
  UniqueFunction& operator=(UniqueFunction&& other) noexcept {
    if (this != &other) {
      reset();
      take(other);
    }
    return *this;
  }
  UniqueFunction(const UniqueFunction&) = delete;
  UniqueFunction& operator=(const UniqueFunction&) = delete;
  ~UniqueFunction() { reset(); }

  explicit operator bool() const noexcept { return operations_ != nullptr; }
  R operator()(Args... args) { return operations_->call(storage_, std::forward<Args>(args)...); }

  void reset() noexcept {
    if (operations_ != nullptr) std::exchange(operations_, nullptr)->destroy(storage_);
  }

 private:
  struct Operations {
    R (*call)(void*, Args&&...);
    void (*move)(void* from, void* to) noexcept;
    void (*destroy)(void*) noexcept;
  };

  template <class Target>
  static constexpr Operations kInline{
      [](void* self, Args&&... args) -> R { return (*static_cast<Target*>(self))(std::forward<Args>(args)...); },
      [](void* from, void* to) noexcept {
        ::new (to) Target(std::move(*static_cast<Target*>(from)));
        static_cast<Target*>(from)->~Target();
      },
      [](void* self) noexcept { static_cast<Target*>(self)->~Target(); }};

  template <class Target>
  static constexpr Operations kHeap{
      [](void* self, Args&&... args) -> R { return (**static_cast<Target**>(self))(std::forward<Args>(args)...); },
      [](void* from, void* to) noexcept { ::new (to) Target*(*static_cast<Target**>(from)); },
      [](void* self) noexcept { delete *static_cast<Target**>(self); }};

  void take(UniqueFunction& other) noexcept {
    if (other.operations_ == nullptr) return;
    other.operations_->move(other.storage_, storage_);
    operations_ = std::exchange(other.operations_, nullptr);
  }

  alignas(std::max_align_t) unsigned char storage_[InlineBytes < sizeof(void*) ? sizeof(void*) : InlineBytes];
  const Operations* operations_ = nullptr;
};

}  // namespace weir
