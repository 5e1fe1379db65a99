#include "weir/model/topic.h"

#include "record.h"

namespace weir::model {

std::string encode_topic(const Topic& topic) {
  return write_record(
      {{"id", value_of(topic.id)},
       {"workspace", static_cast<std::uint32_t>(topic.workspace)},
       {"name", topic.name},
       {"description", topic.description ? nlohmann::json(*topic.description) : nlohmann::json(nullptr)},
       {"schema", topic.schema},
       {"retention_seconds", topic.retention.count()},
       {"created_at_ms", topic.created_at.time_since_epoch().count()},
       {"updated_at_ms", topic.updated_at.time_since_epoch().count()},
       {"readable_from_ms", topic.readable_from.time_since_epoch().count()}});
}

Result<Topic> decode_topic(std::string_view bytes) {
  RecordReader record("topic record", bytes);
  Topic topic;
  topic.id = TopicId{record.number<std::uint64_t>("id", 1)};
  topic.workspace = WorkspaceId{record.number<std::uint32_t>("workspace", 1)};
  topic.name = record.string("name");
  topic.description = record.optional_string("description");
  topic.schema = record.string("schema");
  topic.retention = record.seconds("retention_seconds");
  topic.created_at = record.time("created_at_ms");
  topic.updated_at = record.time("updated_at_ms");
  topic.readable_from = record.time("readable_from_ms");
  WEIR_TRY(record.finish());
  return topic;
}

}  // namespace weir::model
