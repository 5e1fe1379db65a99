#include "core/batch_memo.h"

#include <cstdint>
#include <optional>

namespace weir::core {

namespace {

// The numbers go to the disk: new codes come at the end, none ever moves.
static_assert(static_cast<int>(Errc::invalid_json) == 1 && static_cast<int>(Errc::schema_violation) == 2 &&
              static_cast<int>(Errc::message_too_large) == 4 && static_cast<int>(Errc::overloaded) == 12 &&
              static_cast<int>(Errc::internal) == 19);

// One byte an item: 0 for stored, else 1 + Errc, followed by the texts. Counts and lengths are four bytes, big-endian.
void put_length(std::string& to, std::size_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) to += static_cast<char>(value >> shift & 0xff);
}

void put_text(std::string& to, std::string_view text) {
  put_length(to, text.size());
  to += text;
}

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  bool done() const { return bytes_.empty(); }
  std::optional<std::uint8_t> byte() {
    if (bytes_.empty()) return std::nullopt;
    const auto value = static_cast<std::uint8_t>(bytes_.front());
    bytes_.remove_prefix(1);
    return value;
  }
  std::optional<std::size_t> length() {
    std::size_t value = 0;
    for (int i = 0; i < 4; ++i) {
      const auto next = byte();
      if (!next) return std::nullopt;
      value = value << 8 | *next;
    }
    return value;
  }
  std::optional<std::string> text() {
    const auto size = length();
    if (!size || *size > bytes_.size()) return std::nullopt;
    std::string value(bytes_.substr(0, *size));
    bytes_.remove_prefix(*size);
    return value;
  }

 private:
  std::string_view bytes_;
};

}  // namespace

std::string encode_batch_memo(const std::vector<std::variant<model::Offset, Error>>& items) {
  std::string memo;
  for (const auto& item : items) {
    const auto* error = std::get_if<Error>(&item);
    if (error == nullptr) {
      memo += '\0';
      continue;
    }
    memo += static_cast<char>(static_cast<std::uint8_t>(error->code) + 1);
    put_text(memo, error->detail);
    put_length(memo, error->fields.size());
    for (const FieldError& field : error->fields) {
      put_text(memo, field.field);
      put_text(memo, field.message);
    }
  }
  return memo;
}

Result<std::vector<std::variant<model::Offset, Error>>> decode_batch_memo(std::string_view memo) {
  const auto corrupt = [] { return make_error(Errc::data_corrupt, "the record of an idempotency key is damaged"); };
  std::vector<std::variant<model::Offset, Error>> items;
  Reader reader(memo);
  while (!reader.done()) {
    const auto code = reader.byte();
    if (*code == 0) {
      items.emplace_back(model::Offset{});
      continue;
    }
    if (*code - 1 > static_cast<int>(Errc::internal)) return corrupt();
    auto detail = reader.text();
    const auto fields = reader.length();
    if (!detail || !fields) return corrupt();
    Error error = make_error(static_cast<Errc>(*code - 1), std::move(*detail));
    for (std::size_t i = 0; i < *fields; ++i) {
      auto field = reader.text();
      auto message = reader.text();
      if (!field || !message) return corrupt();
      error.fields.push_back({std::move(*field), std::move(*message)});
    }
    items.emplace_back(std::move(error));
  }
  return items;
}

}  // namespace weir::core
