// How long the check of a message takes: parse, schema and white space in one, on the bytes.
#include <cstdlib>
#include <string>
#include <string_view>

#include <benchmark/benchmark.h>

#include "weir/model/payload.h"
#include "weir/model/schema.h"

namespace weir::model {
namespace {

constexpr std::string_view kFiveFields = R"([
  {"name":"OrderId","type":"string","optional":false},
  {"name":"Quantity","type":"integer","optional":false},
  {"name":"Price","type":"number","optional":false},
  {"name":"Express","type":"boolean","optional":true},
  {"name":"PlacedAt","type":"date_time","optional":true}])";

/// A message that complies with the schema, its text filled up to `bytes`.
std::string message(std::size_t bytes) {
  const std::string rest = R"(","Quantity":3,"Price":129.5,"Express":true,"PlacedAt":"2026-03-02T08:15:30.042+00:00"})";
  std::string text = R"({"OrderId":")";
  text.append(bytes - text.size() - rest.size(), 'A');
  return text + rest;
}

void check(benchmark::State& state, std::string_view schema_json) {
  PayloadChecker checker(PayloadLimits{});
  const Schema schema = schema_json.empty() ? Schema() : Schema::compile(schema_json).value();
  const std::string body = message(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    auto checked = checker.check(schema, body);
    if (!checked) std::abort();
    benchmark::DoNotOptimize(checked);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK_CAPTURE(check, any_object, "")->ArgName("bytes")->Arg(200);
BENCHMARK_CAPTURE(check, five_fields, kFiveFields)->ArgName("bytes")->Arg(200)->Arg(1024)->Arg(10 * 1024);

}  // namespace
}  // namespace weir::model

BENCHMARK_MAIN();
