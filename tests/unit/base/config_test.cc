#include "weir/base/config.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

namespace weir {
namespace {

using namespace std::chrono_literals;

/// A file that is gone with the test.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::string_view content) {
    char name[] = "/tmp/weir-config-XXXXXX";
    const int fd = ::mkstemp(name);
    if (fd < 0) std::abort();
    ::close(fd);
    path_ = name;
    std::ofstream(path_, std::ios::binary) << content;
  }
  ~TemporaryFile() { std::filesystem::remove(path_); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

Result<Config> load_text(std::string_view content) {
  const TemporaryFile file(content);
  return load_config({.file = file.path(), .environment = {}, .flags = {}});
}
Result<Config> load_flags(std::vector<std::pair<std::string, std::string>> flags) {
  return load_config({.file = {}, .environment = {}, .flags = std::move(flags)});
}
Result<Config> load_environment(std::vector<std::string> environment) {
  return load_config({.file = {}, .environment = std::move(environment), .flags = {}});
}

std::string all_mistakes(const Result<Config>& result) {
  std::string text;
  if (result) return text;
  EXPECT_EQ(result.error().code, Errc::config_invalid);
  for (const FieldError& field : result.error().fields) text += field.field + ": " + field.message + "\n";
  return text;
}

TEST(Config, IsTheDefaultWithoutSources) {
  const auto config = load_config({});
  ASSERT_TRUE(config) << all_mistakes(config);
  EXPECT_EQ(config.value().server.listen, "127.0.0.1:8080");
  EXPECT_EQ(config.value().server.threads, 0u);
  EXPECT_EQ(config.value().storage.data_dir, "./data");
  EXPECT_EQ(config.value().storage.durability, "fsync");
  EXPECT_EQ(config.value().rate_limit.management_per_minute, 60u);
  EXPECT_EQ(config.value().rate_limit.legacy_per_minute, 1000u);
  EXPECT_EQ(config.value().rate_limit.public_per_minute, 0u);
}

TEST(Config, ReadsEveryKindOfValueFromAFile) {
  const auto config = load_text(R"(
[server]
listen = "[::1]:0"
threads = "4"
head_timeout_seconds = 2
idle_timeout_seconds = 0.25
send_timeout_seconds = "1.5"
[storage]
queue_bytes_max = "96MiB"
tail_bytes_max = 1_000_000
[api]
lenient_numbers = true
cors_origin = "https://example.com:8443"
time_zone = "-05:30"
)");
  ASSERT_TRUE(config) << all_mistakes(config);
  EXPECT_EQ(config.value().server.listen, "[::1]:0");
  EXPECT_EQ(config.value().server.threads, 4u);
  EXPECT_EQ(config.value().server.head_timeout, 2s);
  EXPECT_EQ(config.value().server.idle_timeout, 250ms);
  EXPECT_EQ(config.value().server.send_timeout, 1500ms);
  EXPECT_EQ(config.value().server.body_timeout, 30s);
  EXPECT_EQ(config.value().storage.queue_bytes_max, 96u << 20);
  EXPECT_EQ(config.value().storage.tail_bytes_max, 1'000'000u);
  EXPECT_TRUE(config.value().api.lenient_numbers);
  EXPECT_EQ(config.value().api.cors_origin, "https://example.com:8443");
  EXPECT_EQ(config.value().api.time_zone, "-05:30");
}

TEST(Config, EnvironmentOverridesFileAndFlagOverridesBoth) {
  const TemporaryFile file("[log]\nlevel = \"debug\"\nformat = \"json\"\naccess = \"all\"\n");
  const auto config = load_config({.file = file.path(),
                                   .environment = {"WEIR_LOG__FORMAT=text", "WEIR_LOG__ACCESS=off"},
                                   .flags = {{"log.access", "all"}, {"log.access", "errors"}}});
  ASSERT_TRUE(config) << all_mistakes(config);
  EXPECT_EQ(config.value().log.level, "debug");
  EXPECT_EQ(config.value().log.format, "text");
  EXPECT_EQ(config.value().log.access, "errors");  // the last flag
}

TEST(Config, EveryKeyIsSetByFlagAndByEnvironment) {
  for (const ConfigKey& key : config_keys()) {
    std::string value = key.default_value;
    std::erase(value, '"');
    const auto by_flag = load_flags({{key.name, value}});
    EXPECT_TRUE(by_flag) << all_mistakes(by_flag);
    std::string name = "WEIR_" + key.name;
    name.replace(name.find('.'), 1, "__");
    for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    const auto by_environment = load_environment({name + "=" + value});
    EXPECT_TRUE(by_environment) << all_mistakes(by_environment);
    const auto wrong = load_environment({name + "=\n"});
    // A path may be anything that is not empty.
    EXPECT_EQ(wrong.has_value(), key.name == "storage.data_dir") << key.name;
    EXPECT_FALSE(load_flags({{key.name + "x", value}})) << key.name;
  }
}

TEST(Config, LeavesOtherVariablesAlone) {
  const auto config = load_environment({"WEIR_ADMIN_TOKEN=x", "WEIR_TOKEN=y", "WEIR_URL=z", "PATH=/bin", "HOME__DIR=/",
                                        "weir_server__listen=q", "WEIRD__NAME=1", "no-equals-sign", ""});
  EXPECT_TRUE(config) << all_mistakes(config);
}

TEST(Config, ReportsAllMistakesOfAllSourcesAtOnce) {
  const TemporaryFile file("[server]\nthreads = 5000\nlisten = \"nowhere\"\n[log]\nlevle = \"info\"\n");
  const auto config =
      load_config({.file = file.path(),
                   .environment = {"WEIR_SERVER__THREAD=1", "WEIR_STORAGE__DURABILITY=maybe"},
                   .flags = {{"rate_limit.public_per_minute", "-1"}, {"server.treads", "2"}, {"nonsense", ""}}});
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().code, Errc::config_invalid);
  EXPECT_EQ(all_mistakes(config),
            "server.threads (" + file.path() + ":2): must be 0 to 64, not \"5000\"\n" +                         //
                "server.listen (" + file.path() + ":3): must be HOST:PORT or [IPV6]:PORT, not \"nowhere\"\n" +  //
                "log.levle (" + file.path() + ":5): no such key; did you mean log.level?\n" +                   //
                "WEIR_SERVER__THREAD: no such key; did you mean WEIR_SERVER__THREADS?\n"                        //
                "storage.durability (WEIR_STORAGE__DURABILITY): must be fsync | os, not \"maybe\"\n"            //
                "rate_limit.public_per_minute (flag): must be 0 to 100000000, not \"-1\"\n"                     //
                "server.treads (flag): no such key; did you mean server.threads?\n"                             //
                "nonsense (flag): no such key\n");
}

TEST(Config, AMistakeInTheFileCountsEvenIfAFlagOverridesIt) {
  const TemporaryFile file("[server]\nthreads = 5000\n");
  EXPECT_FALSE(load_config({.file = file.path(), .environment = {}, .flags = {{"server.threads", "1"}}}));
}

TEST(Config, SaysWhereTheFileCannotBeParsed) {
  const TemporaryFile file("[server]\nthreads = 1\nlisten = oops\n");
  const auto config = load_config({.file = file.path(), .environment = {}, .flags = {{"log.level", "loud"}}});
  ASSERT_FALSE(config);
  ASSERT_EQ(config.error().fields.size(), 2u);
  EXPECT_TRUE(config.error().fields[0].field.starts_with(file.path() + ":3:")) << config.error().fields[0].field;
  EXPECT_FALSE(config.error().fields[0].message.empty());
  EXPECT_EQ(config.error().fields[1].field, "log.level (flag)");
}

TEST(Config, RefusesFilesThatCannotBeRead) {
  const auto missing = load_config({.file = "/nonexistent/weir.toml", .environment = {}, .flags = {}});
  EXPECT_EQ(all_mistakes(missing), "/nonexistent/weir.toml: cannot be read: No such file or directory\n");
  const auto folder = load_config({.file = "/tmp", .environment = {}, .flags = {}});
  EXPECT_EQ(all_mistakes(folder), "/tmp: cannot be read: Is a directory\n");
  const auto endless = load_config({.file = "/dev/zero", .environment = {}, .flags = {}});
  EXPECT_EQ(all_mistakes(endless), "/dev/zero: is larger than 1MiB; this is not a configuration file\n");
  EXPECT_FALSE(load_text(std::string(100'000, '[')));
  EXPECT_FALSE(load_text("[server]\nlisten = \"\xff\xfe:1\"\n"));
  EXPECT_TRUE(load_text(""));
}

struct Row {
  std::string name;
  std::string text;      ///< of the file
  std::string expected;  ///< in the mistakes; empty: none
};

class ConfigFile : public testing::TestWithParam<Row> {};

TEST_P(ConfigFile, IsJudged) {
  const auto config = load_text(GetParam().text);
  const std::string mistakes = all_mistakes(config);
  if (GetParam().expected.empty()) {
    EXPECT_EQ(mistakes, "");
  } else {
    EXPECT_NE(mistakes.find(GetParam().expected), std::string::npos) << mistakes;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Types, ConfigFile,
    testing::Values(Row{"NumberForText", "[server]\nlisten = 8080\n",
                        "must be a string (HOST:PORT or [IPV6]:PORT), not an integer"},
                    Row{"TextForBoolean", "[api]\nlenient_numbers = \"true\"\n",
                        "must be true or false (true | false), not a string"},
                    Row{"BooleanForNumber", "[server]\nthreads = true\n", "must be a number (0 to 64), not a boolean"},
                    Row{"BooleanForText", "[log]\nlevel = false\n", "not a boolean"},
                    Row{"DecimalForWhole", "[server]\nthreads = 1.0\n", "not a decimal number"},
                    Row{"DecimalForBytes", "[storage]\ntail_bytes_max = 1e6\n", "not a decimal number"},
                    Row{"Array", "[server]\nlisten = [\"a:1\"]\n", "not an array"},
                    Row{"TableForValue", "[server.listen]\nport = 1\n", "not a table"},
                    Row{"Date", "[server]\nthreads = 2026-01-01\n", "not a date or time"},
                    Row{"NegativeInteger", "[server]\nthreads = -1\n", "must be 0 to 64, not \"-1\""},
                    Row{"LargestInteger", "[storage]\ntail_bytes_max = 9223372036854775807\n", "must be 0 to 1TiB"},
                    Row{"NotANumber", "[server]\nidle_timeout_seconds = nan\n", "must be 0.01 to 86400"},
                    Row{"Infinity", "[server]\nidle_timeout_seconds = inf\n", "must be 0.01 to 86400"},
                    Row{"HugeDecimal", "[server]\nidle_timeout_seconds = 1e300\n", "must be 0.01 to 86400"},
                    Row{"TooFine", "[server]\nidle_timeout_seconds = 0.0125\n", "at most three decimals"},
                    Row{"ThreeDecimals", "[server]\nidle_timeout_seconds = 0.125\n", ""},
                    Row{"ExponentOfSeconds", "[server]\nidle_timeout_seconds = 1e2\n", ""},
                    Row{"DottedKeys", "server.threads = 2\nlog.level = \"warn\"\n", ""},
                    Row{"InlineTable", "server = { threads = 2 }\n", ""}),
    [](const auto& row) { return row.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Names, ConfigFile,
    testing::Values(Row{"UnknownSection", "[quux]\na = 1\n", "quux ("},
                    Row{"MisspelledSection", "[sever]\nthreads = 1\n", "no such section; did you mean server?"},
                    Row{"SectionAsValue", "server = 1\n", "must be a section, [server]"},
                    Row{"SectionTwice", "[server]\nthreads = 1\n[server]\n", ":3:"},
                    Row{"KeyTwice", "[server]\nthreads = 1\nthreads = 2\n", ":3:"},
                    Row{"KeyWithoutSection", "threads = 1\n", "no such key; did you mean server.threads?"},
                    Row{"KeyInWrongSection", "[server]\ndata_dir = \"x\"\n", "did you mean storage.data_dir?"},
                    Row{"KeyWithoutUnit", "[server]\nhead_timeout = 3\n", "did you mean server.head_timeout_seconds?"},
                    Row{"KeyLikeNothing", "[server]\nxyzzyxyzzy = 3\n", "): no such key\n"},
                    Row{"UpperCase", "[server]\nThreads = 3\n", "did you mean server.threads?"},
                    Row{"LongKey", "[server]\n" + std::string(10'000, 'k') + " = 3\n", "): no such key\n"}),
    [](const auto& row) { return row.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Together, ConfigFile,
    testing::Values(
        Row{"InlineWithOneThread", "[server]\nthreads = 1\n[storage]\ncommit = \"inline\"\n", ""},
        Row{"InlineWithAllCores", "[storage]\ncommit = \"inline\"\n",
            "storage.commit: inline needs server.threads = 1"},
        Row{"DefaultRetentionAboveMax", "[limits]\nretention_seconds_max = 60\n",
            "limits.retention_seconds_default: must not be above limits.retention_seconds_max"},
        Row{"BothRetentions", "[limits]\nretention_seconds_max = 60\nretention_seconds_default = 60\n", ""},
        Row{"MessageAboveQueue", "[limits]\nmessage_bytes_max = \"129MiB\"\n",
            "limits.message_bytes_max: must not be above storage.queue_bytes_max"},
        Row{"MessageAboveBodies",
            "[limits]\nmessage_bytes_max = \"2MiB\"\n[server]\nbody_bytes_inflight_max = \"1MiB\"\n",
            "limits.message_bytes_max: must not be above server.body_bytes_inflight_max"},
        Row{"ManagementAboveBodies",
            "[limits]\nmanagement_body_bytes_max = \"2MiB\"\n[server]\nbody_bytes_inflight_max = \"1MiB\"\n",
            "limits.management_body_bytes_max: must not be above server.body_bytes_inflight_max"},
        Row{"BatchAboveBodies", "[server]\nbody_bytes_inflight_max = \"101MiB\"\n",
            "limits.batch_body_bytes_max: must not be above server.body_bytes_inflight_max"},
        Row{"AnswerAboveAnswers", "[server]\nresponse_bytes_inflight_max = \"49MiB\"\n",
            "limits.consume_response_bytes_max: must not be above server.response_bytes_inflight_max"},
        Row{"CommitAboveQueue", "[storage]\ncommit_bytes_max = \"129MiB\"\n",
            "storage.commit_bytes_max: must not be above storage.queue_bytes_max"}),
    [](const auto& row) { return row.param.name; });

TEST(Config, ChecksNothingTogetherWithAKeyThatIsWrongByItself) {
  const auto config = load_flags({{"storage.commit", "inline"}, {"server.threads", "one"}});
  EXPECT_EQ(all_mistakes(config), "server.threads (flag): must be 0 to 64, not \"one\"\n");
}

struct Value {
  std::string name;
  std::string key;
  std::string value;
  bool fine;
};

class ConfigValue : public testing::TestWithParam<Value> {};

TEST_P(ConfigValue, IsJudged) {
  const auto config = load_flags({{GetParam().key, GetParam().value}});
  EXPECT_EQ(config.has_value(), GetParam().fine) << all_mistakes(config);
  if (!config) {
    EXPECT_EQ(config.error().fields.size(), 1u) << all_mistakes(config);
  }
}

std::string value_name(const testing::TestParamInfo<Value>& info) {
  return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(Listen, ConfigValue,
                         testing::Values(Value{"V4", "server.listen", "0.0.0.0:80", true},
                                         Value{"V6", "server.listen", "[::]:8080", true},
                                         Value{"Name", "server.listen", "localhost:1", true},
                                         Value{"DottedName", "server.listen", "node-1.example.com:65535", true},
                                         Value{"AnyPort", "server.listen", "127.0.0.1:0", true},
                                         Value{"NoPort", "server.listen", "127.0.0.1", false},
                                         Value{"EmptyPort", "server.listen", "127.0.0.1:", false},
                                         Value{"NoHost", "server.listen", ":8080", false},
                                         Value{"PortTooLarge", "server.listen", "127.0.0.1:65536", false},
                                         Value{"PortWithZeros", "server.listen", "127.0.0.1:000080", false},
                                         Value{"PortSigned", "server.listen", "127.0.0.1:+80", false},
                                         Value{"PortWithSpace", "server.listen", "127.0.0.1: 80", false},
                                         Value{"V4TooLarge", "server.listen", "256.0.0.1:80", false},
                                         Value{"V4Short", "server.listen", "127.1:80", false},
                                         Value{"V6WithoutBrackets", "server.listen", "::1:80", false},
                                         Value{"V6Broken", "server.listen", "[::1:80", false},
                                         Value{"V6Nonsense", "server.listen", "[hello]:80", false},
                                         Value{"Url", "server.listen", "http://localhost:80", false},
                                         Value{"Null", "server.listen", std::string("[::1\0]:80", 9), false},
                                         Value{"Empty", "server.listen", "", false}),
                         value_name);

INSTANTIATE_TEST_SUITE_P(Bytes, ConfigValue,
                         testing::Values(Value{"Plain", "storage.tail_bytes_max", "1", true},
                                         Value{"Zero", "storage.tail_bytes_max", "0", true},
                                         Value{"KiB", "storage.tail_bytes_max", "64KiB", true},
                                         Value{"Space", "storage.tail_bytes_max", "64 MiB", true},
                                         Value{"Bound", "storage.tail_bytes_max", "1TiB", true},
                                         Value{"AboveBound", "storage.tail_bytes_max", "1025GiB", false},
                                         Value{"Overflow", "storage.tail_bytes_max", "99999999999999TiB", false},
                                         Value{"LongerThan64Bits", "storage.tail_bytes_max", "99999999999999999999999",
                                               false},
                                         Value{"Decimal", "storage.tail_bytes_max", "1.5GiB", false},
                                         Value{"OtherUnit", "storage.tail_bytes_max", "64MB", false},
                                         Value{"UnitAlone", "storage.tail_bytes_max", "MiB", false},
                                         Value{"TwoSpaces", "storage.tail_bytes_max", "64  MiB", false},
                                         Value{"Negative", "storage.tail_bytes_max", "-1", false},
                                         Value{"Plus", "storage.tail_bytes_max", "+1", false},
                                         Value{"Hex", "storage.tail_bytes_max", "0x10", false},
                                         Value{"LeadingSpace", "storage.tail_bytes_max", " 1", false},
                                         Value{"BelowBound", "storage.queue_bytes_max", "1KiB", false}),
                         value_name);

INSTANTIATE_TEST_SUITE_P(Seconds, ConfigValue,
                         testing::Values(Value{"Whole", "server.head_timeout_seconds", "3", true},
                                         Value{"Half", "server.head_timeout_seconds", "0.5", true},
                                         Value{"Bound", "server.head_timeout_seconds", "600.000", true},
                                         Value{"JustAbove", "server.head_timeout_seconds", "600.001", false},
                                         Value{"Lowest", "server.head_timeout_seconds", "0.01", true},
                                         Value{"Below", "server.head_timeout_seconds", "0.009", false},
                                         Value{"NoFraction", "server.head_timeout_seconds", "3.", false},
                                         Value{"NoWhole", "server.head_timeout_seconds", ".5", false},
                                         Value{"TwoPoints", "server.head_timeout_seconds", "1.2.3", false},
                                         Value{"Unit", "server.head_timeout_seconds", "3s", false},
                                         Value{"Exponent", "server.head_timeout_seconds", "1e1", false},
                                         Value{"SignInFraction", "server.head_timeout_seconds", "1.-5", false},
                                         Value{"Overflow", "server.head_timeout_seconds", "18446744073709551615.999",
                                               false},
                                         Value{"Empty", "server.head_timeout_seconds", "", false}),
                         value_name);

INSTANTIATE_TEST_SUITE_P(
    Texts, ConfigValue,
    testing::Values(Value{"Choice", "storage.durability", "os", true}, Value{"Case", "storage.durability", "OS", false},
                    Value{"Replicated", "storage.durability", "replicated", false},
                    Value{"EmptyPath", "storage.data_dir", "", false},
                    Value{"NullInPath", "storage.data_dir", std::string("a\0b", 3), false},
                    Value{"True", "api.lenient_numbers", "true", true}, Value{"One", "api.lenient_numbers", "1", false},
                    Value{"ZoneFarEast", "api.time_zone", "+14:00", true},
                    Value{"ZoneTooFar", "api.time_zone", "+14:01", false},
                    Value{"ZoneMinutes", "api.time_zone", "+01:60", false},
                    Value{"ZoneLetter", "api.time_zone", "Z", false},
                    Value{"ZoneWithoutColon", "api.time_zone", "+01000", false},
                    Value{"ZoneLetters", "api.time_zone", "+0a:00", false},
                    Value{"OriginNone", "api.cors_origin", "", true}, Value{"OriginAny", "api.cors_origin", "*", true},
                    Value{"OriginHttp", "api.cors_origin", "http://[::1]:3000", true},
                    Value{"OriginPath", "api.cors_origin", "https://example.com/", false},
                    Value{"OriginScheme", "api.cors_origin", "ftp://example.com", false},
                    Value{"OriginEmptyHost", "api.cors_origin", "https://", false},
                    Value{"OriginNewLine", "api.cors_origin", "https://a\r\nSet-Cookie: x", false}),
    value_name);

TEST(Config, ShowsValuesShortenedAndWithoutControls) {
  const auto config = load_flags({{"log.level", "\x1b[2J" + std::string(1000, 'x')}});
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().fields.at(0).message.find('\x1b'), std::string::npos);
  EXPECT_LT(config.error().fields.at(0).message.size(), 200u);
}

}  // namespace
}  // namespace weir
