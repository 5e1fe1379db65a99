#include "weir/model/token.h"

#include <array>

#include "record.h"

namespace weir::model {
namespace {

struct PrivilegeWord {
  Privilege privilege;
  std::string_view word;
};
constexpr std::array<PrivilegeWord, 6> kWords{{{Privilege::publish, "publish"},
                                               {Privilege::consume, "consume"},
                                               {Privilege::topics_read, "topics:read"},
                                               {Privilege::topics_write, "topics:write"},
                                               {Privilege::topics_purge, "topics:purge"},
                                               {Privilege::admin, "admin"}}};

}  // namespace

std::optional<Privilege> parse_privilege(std::string_view word) noexcept {
  for (const PrivilegeWord& known : kWords) {
    if (known.word == word) return known.privilege;
  }
  return std::nullopt;
}

std::vector<std::string> privilege_words(Privileges privileges) {
  std::vector<std::string> words;
  for (const PrivilegeWord& known : kWords) {
    if (privileges.has(known.privilege)) words.emplace_back(known.word);
  }
  return words;
}

std::string encode_token(const Token& token) {
  nlohmann::json topics = nlohmann::json::array();
  for (const TopicId topic : token.topics) topics.push_back(value_of(topic));
  return write_record({{"id", token.id},
                       {"name", token.name},
                       {"workspace", static_cast<std::uint32_t>(token.workspace)},
                       {"privileges", privilege_words(token.privileges)},
                       {"topics", std::move(topics)},
                       {"secret_sha256", to_hex(token.secret_hash)},
                       {"created_at_ms", to_record(token.created_at)},
                       {"expires_at_ms", to_record(token.expires_at)},
                       {"last_used_at_ms", to_record(token.last_used_at)}});
}

Result<Token> decode_token(std::string_view bytes) {
  RecordReader record("token record", bytes);
  Token token;
  token.id = record.string("id");
  token.name = record.string("name");
  token.workspace = WorkspaceId{record.number<std::uint32_t>("workspace", 1)};
  record.array("privileges", [&](const nlohmann::json& word) {
    const std::optional<Privilege> privilege =
        word.is_string() ? parse_privilege(word.get_ref<const std::string&>()) : std::nullopt;
    if (!privilege) return record.fail("privileges", "holds an unknown word");
    token.privileges.add(*privilege);
  });
  record.array("topics", [&](const nlohmann::json& id) {
    token.topics.push_back(TopicId{record.number<std::uint64_t>("topics", id, 1)});
  });
  if (!from_hex(record.string("secret_sha256"), token.secret_hash)) {
    record.fail("secret_sha256", "must be 64 hexadecimal digits");
  }
  token.created_at = record.time("created_at_ms");
  token.expires_at = record.optional_time("expires_at_ms");
  token.last_used_at = record.optional_time("last_used_at_ms");
  WEIR_TRY(record.finish());
  return token;
}

}  // namespace weir::model
