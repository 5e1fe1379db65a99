#include <csignal>
#include <fstream>
#include <regex>
#include <sstream>

#include <sys/stat.h>

#include "support/api.h"

// Starting: options, the data folder, the first token.
namespace weir::test {
namespace {

namespace fs = std::filesystem;

constexpr int kFailed = 1;         ///< the data folder
constexpr int kMisconfigured = 2;  ///< command line, configuration, listen address

void write_file(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// `weir serve` that must not come up.
CommandResult serve_fails(std::vector<std::string> arguments, Environment environment = {}) {
  arguments.insert(arguments.begin(), "serve");
  return run_weir(std::move(arguments), environment);
}

TEST(Startup, ShowsHelp) {
  for (const auto& arguments :
       std::vector<std::vector<std::string>>{{"--help"}, {"serve", "--help"}, {"token", "--help"}}) {
    const auto result = run_weir(arguments);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_NE(result.out.find("weir"), std::string::npos) << result.out;
  }
  const auto serve = run_weir({"serve", "--help"}).out;
  for (const char* option : {"--config", "--data-dir", "--listen", "--set", "--json"}) {
    EXPECT_NE(serve.find(option), std::string::npos) << option;
  }
}

TEST(Startup, ReportsAllBadSettingsAtOnce) {
  const TempDir folder;
  const auto data = folder.path() / "data";
  const auto result =
      serve_fails({"--data-dir", data.string(), "--listen", "127.0.0.1:0", "--set", "server.threads=many", "--set",
                   "no.such_key=1", "--set", "storage.durability=maybe", "--set", "limits.batch_messages_max=0"},
                  {{"WEIR_LOG__LEVEL", "loud"}, {"WEIR_NO__SUCH", "1"}});
  EXPECT_EQ(result.exit_code, kMisconfigured);
  for (const char* part :
       {"server.threads", "no.such_key", "storage.durability", "limits.batch_messages_max", "LOG__LEVEL", "NO__SUCH"}) {
    EXPECT_NE(result.err.find(part), std::string::npos) << part << "\n" << result.err;
  }
  EXPECT_FALSE(fs::exists(data)) << "something was started";
}

TEST(Startup, RefusesUnknownOptionsAndCommands) {
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {"serve", "--no-such-option"}, {"conquer"}, {"serve", "--set", "novalue"}, {"serve", "--listen"}}) {
    const auto result = run_weir(arguments);
    EXPECT_EQ(result.exit_code, kMisconfigured) << result.out << result.err;
    EXPECT_FALSE(result.err.empty());
  }
}

TEST(Startup, RefusesBadConfigurationFile) {
  const TempDir folder;
  const auto data = folder.path() / "data";
  const auto config = folder.path() / "weir.toml";
  const auto run = [&] {
    return serve_fails({"--config", config.string(), "--data-dir", data.string(), "--listen", "127.0.0.1:0"});
  };
  EXPECT_EQ(run().exit_code, kMisconfigured);  // missing
  write_file(config, "[server\nthreads = 1\n");
  EXPECT_EQ(run().exit_code, kMisconfigured);
  write_file(config, "[server]\nthreads = \"x\"\nnonsense = 1\n[limits]\nbatch_messages_max = -5\n");
  const auto result = run();
  EXPECT_EQ(result.exit_code, kMisconfigured);
  for (const char* key : {"server.threads", "nonsense", "limits.batch_messages_max"}) {
    EXPECT_NE(result.err.find(key), std::string::npos) << result.err;
  }
  EXPECT_FALSE(fs::exists(data));
}

TEST(Startup, RefusesUnusableListenAddress) {
  const TempDir folder;
  Api busy;
  for (const std::string& address :
       std::vector<std::string>{"127.0.0.1:" + std::to_string(busy.server().port()), "192.0.2.1:0", "127.0.0.1:99999",
                                "nonsense", "127.0.0.1"}) {
    const auto data = folder.path() / "data";
    const auto result = serve_fails({"--data-dir", data.string(), "--listen", address});
    EXPECT_EQ(result.exit_code, kMisconfigured) << address << "\n" << result.err;
    EXPECT_FALSE(result.err.empty()) << address;
    EXPECT_FALSE(fs::exists(data)) << address;
  }
  EXPECT_EQ(busy.get("/readyz").status, 200);
}

TEST(Startup, RefusesASecondProcessOnOneFolder) {
  Api api;
  const auto topic = api.topic();
  const auto result = serve_fails({"--data-dir", api.server().data_dir().string(), "--listen", "127.0.0.1:0"});
  EXPECT_EQ(result.exit_code, kFailed);
  EXPECT_FALSE(result.err.empty());
  api.publish(topic, "{}");
  api.restart();
  EXPECT_EQ(api.messages(topic).size(), 1u);
}

TEST(Startup, RefusesAForeignFolderAndLeavesItUntouched) {
  const TempDir folder;
  const auto data = folder.path() / "data";
  write_file(data / "holiday.jpg", "not ours");
  write_file(data / "sub" / "notes.txt", "keep me");
  const auto result = serve_fails({"--data-dir", data.string(), "--listen", "127.0.0.1:0"});
  EXPECT_EQ(result.exit_code, kFailed) << result.err;
  EXPECT_FALSE(result.err.empty());
  EXPECT_EQ(read_file(data / "holiday.jpg"), "not ours");
  EXPECT_EQ(read_file(data / "sub" / "notes.txt"), "keep me");
  int entries = 0;
  for ([[maybe_unused]] const auto& entry : fs::recursive_directory_iterator(data)) ++entries;
  EXPECT_EQ(entries, 3) << "something was put into the foreign folder";
}

TEST(Startup, RefusesAFileAsDataFolder) {
  const TempDir folder;
  write_file(folder.path() / "data", "a file");
  const auto result = serve_fails({"--data-dir", (folder.path() / "data").string(), "--listen", "127.0.0.1:0"});
  EXPECT_EQ(result.exit_code, kFailed) << result.err;
  EXPECT_EQ(read_file(folder.path() / "data"), "a file");
}

/// Files of RocksDB whose loss or damage must be noticed, with what to do to them.
TEST(Startup, RefusesACorruptedFolderNamingTheFile) {
  Api api({.settings = {"storage.memtable_bytes=65536"}});
  const auto topic = api.topic();
  const std::string filler(3000, 'f');
  for (int i = 0; i < 100; ++i) api.publish(topic, R"({"f":")" + filler + "\"}");
  api.server().stop();
  const auto data = api.server().data_dir();
  const auto saved = api.server().folder() / "saved";
  fs::copy(data, saved, fs::copy_options::recursive);

  std::vector<fs::path> victims;
  for (const auto& entry : fs::recursive_directory_iterator(saved)) {
    const auto name = entry.path().filename().string();
    if (name.starts_with("CURRENT") || name.starts_with("MANIFEST-") || name == "weir.format") {
      victims.push_back(fs::relative(entry.path(), saved));
    }
  }
  ASSERT_GE(victims.size(), 2u);
  for (const auto& victim : victims) {
    for (const bool remove : {false, true}) {
      fs::remove_all(data);
      fs::copy(saved, data, fs::copy_options::recursive);
      if (remove) {
        fs::remove(data / victim);
      } else {
        write_file(data / victim, std::string(fs::file_size(data / victim), '\x5a'));
      }
      const auto result = serve_fails({"--data-dir", data.string(), "--listen", "127.0.0.1:0"});
      EXPECT_EQ(result.exit_code, kFailed) << victim << (remove ? " removed" : " overwritten") << "\n" << result.err;
      if (!remove) {
        EXPECT_NE(result.err.find(victim.filename().string()), std::string::npos) << victim << "\n" << result.err;
      }
      EXPECT_EQ(fs::exists(data / victim), !remove) << "initialised over damaged data";
    }
  }
  fs::remove_all(data);
  fs::copy(saved, data, fs::copy_options::recursive);
  api.server().start();  // the undamaged folder still opens
  Client client(api.server());
  EXPECT_EQ(split_messages(client.post(Api::consume_path(topic), "{}").body).size(), 50u);
}

TEST(Startup, ReportsDamagedTablesAndNeverServesThem) {
  Api api({.settings = {"storage.memtable_bytes=65536", "storage.tail_bytes_max=0"}});
  const auto topic = api.topic();
  const std::string filler(3000, 'f');
  const std::string payload = R"({"f":")" + filler + "\"}";
  for (int i = 0; i < 200; ++i) api.publish(topic, payload);
  api.server().stop();
  std::size_t damaged = 0;
  for (const auto& entry : fs::recursive_directory_iterator(api.server().data_dir())) {
    if (entry.path().extension() != ".sst") continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    for (std::uintmax_t at = 100; at + 200 < entry.file_size(); at += 3000) {
      file.seekp(static_cast<std::streamoff>(at));
      file.write("DAMAGED!", 8);
    }
    ++damaged;
  }
  ASSERT_GT(damaged, 0u);
  const auto log = [&] { return api.server().output(); };
  try {
    api.server().start();
  } catch (const std::exception& refused) {
    SUCCEED() << refused.what();  // refusing to start is as good
    return;
  }
  Client client(api.server());
  const auto response = client.post(Api::consume_path(topic), "{}");
  if (response.status == 200) {
    for (const auto& message : split_messages(response.body)) EXPECT_EQ(message.payload, payload);
  } else {
    EXPECT_TRUE(is_error(response, 500, "internal_error", "Server error")) << log();
    const std::string id = response.json().value("id", "");
    EXPECT_TRUE(std::regex_match(id, std::regex("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"))) << response;
    EXPECT_NE(log().find(id), std::string::npos) << "the id must lead to the reason in the log";
  }
}

TEST(Startup, MakesTheFirstAdminTokenAndPrintsItOnce) {
  ServerProcess server({.admin_token = false});
  const auto file = server.data_dir() / "admin.token";
  ASSERT_TRUE(fs::exists(file));
  struct stat status {};
  ASSERT_EQ(::stat(file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  std::string text = read_file(file);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  EXPECT_TRUE(text.starts_with("weir_")) << text;
  EXPECT_TRUE(is_ok(Client(server, text).get("/api/event_streams/topics")));
  EXPECT_TRUE(is_ok(Client(server, text).get("/api/admin/tokens")));
  server.stop();
  const std::string first = server.output();
  EXPECT_NE(first.find(text), std::string::npos) << "not printed:\n" << first;
  server.start();
  EXPECT_TRUE(is_ok(Client(server, text).get("/api/admin/tokens")));
  server.stop();
  const std::string second = server.output().substr(first.size());
  EXPECT_EQ(second.find(text), std::string::npos) << "printed again";
  std::string again = read_file(file);
  while (!again.empty() && again.back() == '\n') again.pop_back();
  EXPECT_EQ(again, text);
}

TEST(Startup, TakesTheAdminTokenFromTheEnvironment) {
  for (const std::string& good :
       std::vector<std::string>{"abcdefghijklmnop", std::string(128, 'Z'), "AZaz09._~-AZaz09"}) {
    ServerProcess server({.environment = {{"WEIR_ADMIN_TOKEN", good}}, .admin_token = false});
    EXPECT_TRUE(is_ok(Client(server, good).get("/api/admin/tokens")));
    EXPECT_FALSE(fs::exists(server.data_dir() / "admin.token"));
    EXPECT_EQ(server.output().find(good), std::string::npos);
  }
}

TEST(Startup, RefusesABadAdminToken) {
  const TempDir folder;
  for (const std::string& bad :
       std::vector<std::string>{"short", std::string(15, 'a'), std::string(129, 'a'), "has a space in it",
                                "quote\"quote\"quote", "umlautü-umlautü-x"}) {
    const auto result = serve_fails({"--data-dir", (folder.path() / "data").string(), "--listen", "127.0.0.1:0"},
                                    {{"WEIR_ADMIN_TOKEN", bad}});
    EXPECT_EQ(result.exit_code, kMisconfigured) << "'" << bad << "' " << result.err;
    EXPECT_NE(result.err.find("WEIR_ADMIN_TOKEN"), std::string::npos);
    EXPECT_FALSE(fs::exists(folder.path() / "data"));
  }
}

TEST(Startup, LogsTheAddressInOneLineInBothFormats) {
  for (const auto& arguments : std::vector<std::vector<std::string>>{{}, {"--json"}, {"--set", "log.format=json"}}) {
    ServerProcess server({.arguments = arguments});
    const std::string log = server.process().err();
    std::size_t lines = 0;
    for (std::size_t at = 0; (at = log.find("listening", at)) != std::string::npos; ++at) ++lines;
    EXPECT_EQ(lines, 1u) << log;
    EXPECT_GT(server.port(), 0);
    if (arguments.empty()) continue;
    std::istringstream stream(log);
    std::string line;
    while (std::getline(stream, line)) EXPECT_TRUE(Json::parse(line, nullptr, false).is_object()) << line;
  }
}

TEST(Startup, ListensOnIpv6Too) {
  ServerProcess server({.listen = "[::1]:0"});
  EXPECT_EQ(server.host(), "[::1]");
  EXPECT_EQ(Client(server).get("/readyz").status, 200);
}

TEST(Startup, EndsCleanlyOnSigtermAndSigint) {
  for (const int signal : {SIGTERM, SIGINT}) {
    Api api;
    const auto topic = api.topic();
    api.publish_numbers(topic, 10);
    const auto start = std::chrono::steady_clock::now();
    api.server().stop(signal);  // expects exit code 0
    EXPECT_LT(std::chrono::steady_clock::now() - start, 10s);
    EXPECT_THROW(Client(api.server()).get("/healthz"), HttpFailure);
  }
}

TEST(Startup, TakesSettingsFromTheEnvironment) {
  Api api({.environment = {{"WEIR_LIMITS__BATCH_MESSAGES_MAX", "7"}}});
  const auto topic = api.topic();
  EXPECT_TRUE(is_error(api.post(Api::batch_path(topic), R"({"payloads":[{},{},{},{},{},{},{},{}]})"), 400,
                       "invalid_parameter", "7"));
}

TEST(Startup, LetsFlagsWinOverEnvironmentOverFile) {
  const TempDir folder;
  const auto config = folder.path() / "weir.toml";
  write_file(config, "[limits]\nbatch_messages_max = 3\nconsume_messages_max = 3\npoll_timeout_secs_max = 3\n");
  Api api({.settings = {"limits.batch_messages_max=1"},
           .arguments = {"--config", config.string()},
           .environment = {{"WEIR_LIMITS__BATCH_MESSAGES_MAX", "2"}, {"WEIR_LIMITS__CONSUME_MESSAGES_MAX", "2"}}});
  const auto topic = api.topic();
  EXPECT_TRUE(
      is_error(api.post(Api::batch_path(topic), R"({"payloads":[{},{}]})"), 400, "invalid_parameter", "1 to 1"));
  EXPECT_TRUE(is_error(api.consume(topic, R"({"batch_size":3})"), 400, "invalid_parameter", "1 to 2"));
  EXPECT_TRUE(is_error(api.consume(topic, R"({"timeout_secs":4})"), 400, "invalid_parameter", "0 to 3"));
}

TEST(Startup, MakesTheDataFolderWithItsParents) {
  const TempDir folder;
  const auto data = folder.path() / "a" / "b" / "data";
  ServerProcess server({.arguments = {"--set", "storage.data_dir=" + data.string()}});
  EXPECT_EQ(Client(server).get("/readyz").status, 200);
}

TEST(Startup, ChecksAConfigurationWithoutStarting) {
  const TempDir folder;
  const auto good = folder.path() / "good.toml";
  const auto bad = folder.path() / "bad.toml";
  write_file(good, "[limits]\nbatch_messages_max = 3\n");
  write_file(bad, "[limits]\nbatch_messages_max = 0\n[x]\ny = 1\n");
  EXPECT_EQ(run_weir({"config", "check", "--config", good.string()}).exit_code, 0);
  const auto result = run_weir({"config", "check", "--config", bad.string()});
  EXPECT_EQ(result.exit_code, kMisconfigured);
  EXPECT_NE((result.out + result.err).find("limits.batch_messages_max"), std::string::npos);
  EXPECT_NE((result.out + result.err).find("no such section"), std::string::npos) << result.err;
}

TEST(Startup, TellsItsVersion) {
  const auto result = run_weir({"version"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_NE(result.out.find("0."), std::string::npos) << result.out;
}

}  // namespace
}  // namespace weir::test
