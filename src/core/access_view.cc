#include "weir/core/access_view.h"

#include <utility>

namespace weir::core {

namespace {
const CallerPtr kNobody;
}

const CallerPtr& AccessView::authenticate(std::string_view authorization) {
  // The version is read first: at worst callers are newer than it says and are looked up once more.
  const std::uint64_t version = access_.version();
  if (version != version_) {
    places_.assign(kPlaces, Place{});
    version_ = version;
  }
  const KeyedHash::Value hash = access_.text_hash()(authorization);
  Place& place = places_[hash[0] % kPlaces];
  if (place.caller && place.hash == hash) return access_.use(*place.caller) ? place.caller : kNobody;

  auto caller = access_.authenticate(authorization);
  if (!caller) return kNobody;
  place = {hash, std::move(caller).value()};
  return place.caller;
}

}  // namespace weir::core
