#include "api/workato/topic_json.h"

#include <algorithm>
#include <iterator>

#include "weir/api/problem.h"
#include "weir/model/json_scan.h"
#include "weir/model/schema.h"
#include "weir/model/time.h"

#include "api/json_input.h"
#include "api/workato/schema_errors.h"

namespace weir::api::workato {
namespace {

const std::string* find_last(const Query& query, std::string_view key) {
  const auto at = std::find_if(query.rbegin(), query.rend(), [&](const auto& row) { return row.first == key; });
  return at == query.rend() ? nullptr : &at->second;
}

/// One call's input on its way to a TopicInput.
class TopicReader {
 public:
  TopicReader(std::string_view body, const Query& query, const TopicRules& rules, bool create)
      : body_(body), query_(query), rules_(rules), create_(create) {}

  TopicInput read() {
    read_name();
    read_schema();
    read_retention();
    read_description();
    return std::move(input_);
  }

 private:
  std::optional<std::string_view> member(std::string_view key) const {
    return is_blank(body_) ? std::nullopt : model::last_member(body_, key);
  }

  void wrong(std::string field, std::string what) { input_.errors.push_back({std::move(field), std::move(what)}); }

  void check_name(std::optional<std::string> name) {
    if (!name) return wrong("name", "must be a string");
    const auto characters = utf8_characters(*name);
    if (!characters) return wrong("name", "must be valid UTF-8");
    if (is_blank(*name)) return wrong("name", "can't be blank");
    if (*characters > rules_.name_characters_max) {
      return wrong("name", "must have at most " + std::to_string(rules_.name_characters_max) + " characters (got " +
                               std::to_string(*characters) + ")");
    }
    input_.given.name = std::move(name);
  }

  void read_name() {
    if (const auto raw = member("name")) {
      if (*raw == "null") return wrong("name", create_ ? "can't be blank" : "must not be null");
      check_name(json_string(*raw));
    } else if (const std::string* text = find_last(query_, "name")) {
      check_name(*text);
    } else if (create_) {
      wrong("name", "can't be blank");
    }
  }

  void read_schema() {
    const auto raw = member("schema");
    if (!raw || (create_ && *raw == "null")) {
      if (create_) wrong("schema", "is required");
      return;
    }
    if (*raw == "null") return wrong("schema", "must not be null");
    const auto compiled = model::Schema::compile(*raw, model::Schema::UnknownFields::keep, rules_.schema_bytes_max);
    if (compiled) {
      input_.given.schema = std::string(*raw);
      return;
    }
    if (compiled.error().fields.empty()) wrong("schema", compiled.error().detail);
    for (std::string& text : schema_error_texts(*raw, compiled.error().fields)) wrong("schema", std::move(text));
  }

  void check_retention(std::string_view number) {
    const std::string max = std::to_string(rules_.retention_seconds_max);
    const auto seconds = json_integer(number);
    if (!seconds) {
      return wrong("retention",
                   "must be a whole number of seconds from 1 to " + max + " (got " + excerpt(number) + ")");
    }
    if (*seconds < 1) return wrong("retention", "must be at least 1");
    if (*seconds > rules_.retention_seconds_max) return wrong("retention", "must be at most " + max);
    input_.given.retention = std::chrono::seconds{*seconds};
  }

  void read_retention() {
    if (const auto raw = member("retention")) {
      if (*raw != "null") return check_retention(*raw);
      if (!create_) wrong("retention", "must not be null");
    } else if (const std::string* text = find_last(query_, "retention")) {
      check_retention(*text);
    }
  }

  void check_description(std::optional<std::string> text) {
    if (!text) return wrong("description", "must be a string");
    if (!utf8_characters(*text)) return wrong("description", "must be valid UTF-8");
    if (text->size() > rules_.description_bytes_max) {
      return wrong("description", "must have at most " + std::to_string(rules_.description_bytes_max) + " bytes (got " +
                                      std::to_string(text->size()) + ")");
    }
    input_.given.description = std::move(text);
  }

  void read_description() {
    if (const auto raw = member("description")) {
      if (*raw != "null") return check_description(json_string(*raw));
      input_.given.description = std::optional<std::string>{};
    } else if (const std::string* text = find_last(query_, "description")) {
      check_description(*text);
    }
  }

  const std::string_view body_;
  const Query& query_;
  const TopicRules& rules_;
  const bool create_;
  TopicInput input_;
};

Result<TopicInput> parse_topic(std::string_view body, const Query& query, const TopicRules& rules, bool create) {
  if (!is_blank(body)) {
    // How deep a schema may be is the schema's own rule; it then says where.
    WEIR_TRY(const model::JsonKind kind, model::check_json(body, model::kJsonDepthMax));
    if (kind != model::JsonKind::object) return make_error(Errc::bad_request, "The body must be a JSON object");
  }
  return TopicReader(body, query, rules, create).read();
}

Error bad_query(std::string_view key, std::string_view allowed, std::string_view got) {
  return make_error(Errc::bad_request,
                    std::string(key) + " must be " + std::string(allowed) + " (got \"" + excerpt(got) + "\")");
}

Result<std::size_t> count_from(std::string_view key, std::string_view text, std::size_t max, std::string_view allowed) {
  const auto number = json_integer(text);
  if (!number || *number < 1 || static_cast<std::uint64_t>(*number) > max) return bad_query(key, allowed, text);
  return static_cast<std::size_t>(*number);
}

void append_topic(std::string& to, const model::Topic& topic, std::chrono::minutes zone, bool with_schema) {
  to += "{\"id\":" + std::to_string(value_of(topic.id)) + ",\"name\":";
  append_json_string(to, topic.name);
  to += ",\"created_at\":\"" + model::to_timestamp(topic.created_at, zone);
  to += "\",\"updated_at\":\"" + model::to_timestamp(topic.updated_at, zone);
  to += "\",\"retention\":" + std::to_string(topic.retention.count());
  if (with_schema) {
    to += ",\"schema\":";
    to += topic.schema;
  }
  to += ",\"description\":";
  if (topic.description) {
    append_json_string(to, *topic.description);
  } else {
    to += "null";
  }
  to += '}';
}

}  // namespace

TopicRules topic_rules(const Config& config) {
  TopicRules rules;
  rules.retention_seconds_max = config.limits.retention_seconds_max;
  rules.name_characters_max = config.limits.topic_name_characters_max;
  rules.description_bytes_max = config.limits.description_bytes_max;
  rules.schema_bytes_max = config.limits.schema_bytes_max;
  return rules;
}

Result<TopicInput> parse_topic_create(std::string_view body, const Query& query, const TopicRules& rules) {
  return parse_topic(body, query, rules, true);
}

Result<TopicInput> parse_topic_update(std::string_view body, const Query& query, const TopicRules& rules) {
  return parse_topic(body, query, rules, false);
}

Result<ListRequest> parse_topic_list(const Query& query) {
  constexpr std::size_t kPerPageMax = 100;
  constexpr std::size_t kPageMax = 1'000'000'000;
  ListRequest request;
  if (const std::string* name = find_last(query, "name")) {
    if (!utf8_characters(*name)) return make_error(Errc::bad_request, "name must be valid UTF-8");
    request.query.name_contains = *name;
  }
  if (const std::string* sort = find_last(query, "sort")) {
    if (*sort == "id") {
      request.query.sort = core::TopicQuery::Sort::id;
    } else if (*sort == "name") {
      request.query.sort = core::TopicQuery::Sort::name;
    } else if (*sort == "activity") {
      request.query.sort = core::TopicQuery::Sort::activity;
    } else {
      return bad_query("sort", "activity, name or id", *sort);
    }
  }
  if (const std::string* include = find_last(query, "include_schema")) {
    if (*include == "true" || *include == "1") {
      request.include_schema = true;
    } else if (*include != "false" && *include != "0") {
      return bad_query("include_schema", "true, 1, false or 0", *include);
    }
  }
  const std::string* page = find_last(query, "page");
  const std::string* per_page = find_last(query, "per_page");
  if (page != nullptr || per_page != nullptr) request.per_page = kPerPageMax;
  if (page != nullptr) {
    WEIR_TRY(request.page, count_from("page", *page, kPageMax, "an integer from 1 to 1000000000"));
  }
  if (per_page != nullptr) {
    WEIR_TRY(request.per_page, count_from("per_page", *per_page, kPerPageMax, "an integer from 1 to 100"));
  }
  return request;
}

std::string render_topic(const model::Topic& topic, std::chrono::minutes zone) {
  std::string body = "{\"data\":";
  append_topic(body, topic, zone, true);
  body += '}';
  return body;
}

std::string render_topic_list(const std::vector<core::TopicEntryPtr>& topics, const ListRequest& request,
                              std::chrono::minutes zone) {
  std::size_t first = 0;
  std::size_t last = topics.size();
  if (request.per_page != 0) {
    first = std::min(topics.size(), (request.page - 1) * request.per_page);
    last = std::min(topics.size(), first + request.per_page);
  }
  std::string body = "{\"count\":" + std::to_string(topics.size()) + ",\"data\":[";
  for (std::size_t i = first; i < last; ++i) {
    if (i != first) body += ',';
    append_topic(body, topics[i]->topic, zone, request.include_schema);
  }
  body += "]}";
  return body;
}

}  // namespace weir::api::workato
