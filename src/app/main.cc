#include <cstdlib>
#include <iostream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <unistd.h>

#include "weir/base/config.h"
#include "weir/core/access.h"

#include "app/serve.h"
#include "app/token_command.h"

namespace {

std::optional<std::string> environment(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return std::string(value);
}

/// The options that `weir serve` and `weir config check` share.
struct ConfigOptions {
  std::string file;
  std::string data_dir;
  std::string listen;
  std::vector<std::string> settings;
  bool json_logs = false;

  void add_to(CLI::App& command) {
    command.add_option("--config", file, "Configuration file (TOML); config/weir.toml explains every key");
    command.add_option("--data-dir", data_dir, "Folder for topics, messages and tokens (storage.data_dir, ./data)");
    command.add_option("--listen", listen, "HOST:PORT to listen on; port 0 takes a free one (server.listen)");
    command.add_option("--set", settings, "section.key=value, overrides file and environment; repeatable")
        ->allow_extra_args(false);
    command.add_flag("--json", json_logs, "Write logs as JSON, one object a line (log.format=json)");
  }

  weir::Result<weir::Config> load() const {
    weir::ConfigSources sources;
    if (!file.empty()) sources.file = file;
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry)
      sources.environment.emplace_back(*entry);
    std::vector<weir::FieldError> mistakes;
    for (const std::string& setting : settings) {
      const std::size_t equals = setting.find('=');
      if (equals == std::string::npos) {
        mistakes.push_back({"--set " + setting, "must be section.key=value"});
        continue;
      }
      sources.flags.emplace_back(setting.substr(0, equals), setting.substr(equals + 1));
    }
    if (!data_dir.empty()) sources.flags.emplace_back("storage.data_dir", data_dir);
    if (!listen.empty()) sources.flags.emplace_back("server.listen", listen);
    if (json_logs) sources.flags.emplace_back("log.format", "json");
    if (const auto token = environment("WEIR_ADMIN_TOKEN"); token && !weir::core::is_valid_admin_token(*token)) {
      mistakes.push_back({"WEIR_ADMIN_TOKEN", "must be 16 to 128 characters of A-Z a-z 0-9 . _ ~ -"});
    }
    auto config = weir::load_config(sources);
    if (mistakes.empty()) return config;
    if (!config) mistakes.insert(mistakes.end(), config.error().fields.begin(), config.error().fields.end());
    return weir::Error{weir::Errc::config_invalid, "the configuration has mistakes", std::move(mistakes)};
  }
};

int with_config(const ConfigOptions& options, int (*run)(const weir::Config&)) {
  const auto config = options.load();
  if (!config) {
    weir::app::print_mistakes(config.error());
    return weir::app::kExitMisconfigured;
  }
  return run(config.value());
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"weir: durable event streams over HTTP"};
  app.name("weir");
  app.require_subcommand(1);
  app.set_version_flag("--version", "weir " WEIR_VERSION);
  app.footer(
      "Examples:\n"
      "  weir serve                                    listen on 127.0.0.1:8080, data in ./data\n"
      "  weir serve --listen 0.0.0.0:80 --data-dir /var/lib/weir\n"
      "  weir token create --name shop --privileges publish,consume\n"
      "\nExit codes: 0 done, 1 failed (data folder, server, disk), 2 mistake in the command line or configuration.");

  ConfigOptions options;
  CLI::App* serve = app.add_subcommand("serve", "Run the server until SIGTERM or SIGINT");
  options.add_to(*serve);
  serve->footer(
      "Examples:\n"
      "  weir serve --listen 127.0.0.1:0               any free port; the log says which\n"
      "  weir serve --config weir.toml --set storage.durability=os\n"
      "  WEIR_RATE_LIMIT__MANAGEMENT_PER_MINUTE=600 weir serve\n"
      "\nWEIR_ADMIN_TOKEN sets the admin token; without it the first start makes one and leaves it in\n"
      "<data_dir>/admin.token. Order: file < environment (WEIR_SECTION__KEY) < flags.");

  CLI::App* config = app.add_subcommand("config", "Look at the configuration");
  config->require_subcommand(1);
  ConfigOptions checked;
  CLI::App* check = config->add_subcommand("check", "Report every mistake without starting anything");
  checked.add_to(*check);

  CLI::App* token = app.add_subcommand("token", "Create, list and revoke access tokens");
  token->require_subcommand(1);
  token->footer(
      "Works on the running server that holds --data-dir (or on the one at --url), and on the folder itself when\n"
      "no server runs.\n"
      "Examples:\n"
      "  weir token create --name shop --privileges publish,consume --topics 1,2 --expires-in 2592000\n"
      "  weir token list --json\n"
      "  weir token revoke 4kQ2mX0b7A");
  weir::app::TokenTarget target;
  std::string url = environment("WEIR_URL").value_or("");
  std::string bearer = environment("WEIR_TOKEN").value_or(environment("WEIR_ADMIN_TOKEN").value_or(""));
  target.data_dir = environment("WEIR_STORAGE__DATA_DIR").value_or("./data");
  const auto add_target = [&](CLI::App* command) {
    command->add_option("--url", url, "Server, http://HOST[:PORT] (WEIR_URL)");
    command->add_option("--token", bearer,
                        "An admin's token (WEIR_TOKEN, WEIR_ADMIN_TOKEN, else <data_dir>/admin.token)");
    command->add_option("--data-dir", target.data_dir, "Data folder")->capture_default_str();
    command->add_flag("--json", target.json, "Print JSON");
  };
  weir::app::TokenCreate wanted;
  std::uint64_t expires_in = 0;
  CLI::App* create = token->add_subcommand("create", "Make a token; its text is shown this once");
  create->add_option("--name", wanted.name, "What it is for")->required();
  create
      ->add_option("--privileges", wanted.privileges,
                   "publish, consume, topics:read, topics:write, topics:purge, admin (comma-separated)")
      ->delimiter(',')
      ->required();
  create->add_option("--topics", wanted.topics, "Only these topic ids (comma-separated); default: all")->delimiter(',');
  CLI::Option* expires = create->add_option("--expires-in", expires_in, "Seconds until it expires; default: never")
                             ->check(CLI::PositiveNumber);
  add_target(create);
  CLI::App* list = token->add_subcommand("list", "List tokens, without their secrets");
  add_target(list);
  std::string token_id;
  CLI::App* revoke = token->add_subcommand("revoke", "Revoke a token at once");
  revoke->add_option("id", token_id, "Token id, as `weir token list` shows it")->required();
  add_target(revoke);

  CLI::App* version = app.add_subcommand("version", "Print the version");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const bool asked_for_help = error.get_exit_code() == 0;
    app.exit(error);
    return asked_for_help ? weir::app::kExitOk : weir::app::kExitMisconfigured;
  }

  if (*version) {
    std::cout << "weir " << WEIR_VERSION << "\n";
    return weir::app::kExitOk;
  }
  if (*check) {
    return with_config(checked, [](const weir::Config&) {
      std::cout << "The configuration is fine.\n";
      return weir::app::kExitOk;
    });
  }
  if (*serve) {
    // Set but empty counts as not set: compose files pass variables on that way.
    return with_config(
        options, [](const weir::Config& loaded) { return weir::app::serve(loaded, environment("WEIR_ADMIN_TOKEN")); });
  }
  if (!url.empty()) target.url = url;
  if (!bearer.empty()) target.token = bearer;
  if (*expires) wanted.expires_in_seconds = expires_in;
  if (*create) return weir::app::token_create(target, wanted);
  if (*list) return weir::app::token_list(target);
  return weir::app::token_revoke(target, token_id);
}
