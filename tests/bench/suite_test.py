"""The arithmetic of the report and of the goals, and what the suite does with its arguments: nothing is started."""

import contextlib
import io
import unittest

import goals
import report
import suite
from machine import Disk
from rows import Rows, find, ratios, with_range
from scenarios_http import HEALTHZ, ceiling_choice, ceiling_name, percentiles, publish_title
from workload import DEFAULT, INLINE, batch, message

SURVIVES = {"kill -9": "all", "host crash": "all", "disk loss": "nothing"}


def rows_of(scenario, ours, theirs, variant=DEFAULT, **more):
    rows = Rows()
    for our, their in zip(ours, theirs):
        rows.add(our, scenario=scenario, system="weir", variant=variant, role="weir", against="nginx", survives=SURVIVES)
        rows.add(their, scenario=scenario, system="nginx", variant=variant, role="yardstick", survives={}, **more)
    return rows


def verdicts(rows):
    return {one["what"]: one["verdict"] for one in goals.evaluate(rows.all())}


class RatiosTest(unittest.TestCase):
    def test_are_taken_within_a_round(self):
        rows = rows_of("x", [{"rate": 10}, {"rate": 30}], [{"rate": 20}, {"rate": 10}]).all()
        self.assertEqual(ratios(rows[0], rows[1], "rate"), [0.5, 3.0])

    def test_leave_out_rounds_in_which_either_was_not_measured(self):
        rows = rows_of("x", [{"rate": None}, {"rate": 30}, {}], [{"rate": 20}, {"rate": 10}, {"rate": 1}]).all()
        self.assertEqual(ratios(rows[0], rows[1], "rate"), [3.0])

    def test_are_shown_with_their_lowest_and_highest(self):
        self.assertEqual(with_range([3, 1, 2]), "2.00 (1.00–3.00)")
        self.assertEqual(with_range([1.5]), "1.50")
        self.assertEqual(with_range([]), "–")

    def test_a_row_is_found_by_scenario_system_and_variant(self):
        rows = rows_of("x", [{}], [{}]).all()
        self.assertEqual(find(rows, "x", "nginx", DEFAULT)["role"], "yardstick")
        self.assertIsNone(find(rows, "x", "nginx", INLINE))


class GoalsTest(unittest.TestCase):
    healthz = goals.GOALS[0].what

    def test_what_did_not_run_is_not_measured(self):
        self.assertEqual(set(verdicts(Rows()).values()), {"not measured in this run"})

    def test_the_median_of_the_ratios_decides(self):
        rows = rows_of(HEALTHZ, [{"rate": 9}, {"rate": 11}, {"rate": 12}], [{"rate": 10}] * 3)
        self.assertEqual(verdicts(rows)[self.healthz], "met")
        rows = rows_of(HEALTHZ, [{"rate": 9}, {"rate": 9.9}, {"rate": 12}], [{"rate": 10}] * 3)
        self.assertEqual(verdicts(rows)[self.healthz], "missed")

    def test_the_default_configuration_is_judged(self):
        rows = rows_of(HEALTHZ, [{"rate": 20}], [{"rate": 10}], variant=INLINE)
        self.assertEqual(verdicts(rows)[self.healthz], "not measured in this run")

    def test_a_goal_is_met_at_its_bound(self):
        rows = rows_of(publish_title(200, 64), [{"cpu_us": 15}], [{"cpu_us": 10}])
        self.assertEqual(verdicts(rows)["durable publish, 200 bytes, 64 connections: CPU per request against nginx"], "met")

    def test_rate_per_core_is_the_inverse_of_the_cpu(self):
        rows = rows_of(goals.DURABLE_STREAMS, [{"cpu_us": 8}], [{"cpu_us": 16}]).all()
        self.assertEqual(goals.ratio(goals.DURABLE_STREAMS, "cpu_us", inverse=True)(rows, DEFAULT), [2.0])

    def test_the_worst_scenario_counts_for_system_calls(self):
        rows = rows_of(publish_title(200, 64), [{}], [{}]).all() + rows_of(publish_title(200, 256), [{}], [{}]).all()
        find(rows, publish_title(200, 64), "weir", DEFAULT)["syscalls"] = {"recvmsg": 1.0, "sendmsg": 1.0}
        find(rows, publish_title(200, 256), "weir", DEFAULT)["syscalls"] = {"recvmsg": 2.0, "sendmsg": 1.0}
        self.assertEqual(goals.calls(publish_title(200, 64), publish_title(200, 256))(rows, DEFAULT), [3.0])


class ReportTest(unittest.TestCase):
    def test_a_run_disturbed_by_others_is_too_noisy(self):
        quiet = rows_of("x", [{"rate": 1, "foreign_share": 0.1}], [{"rate": 1}]).all()
        self.assertEqual(report.warnings(quiet), [])
        noisy = rows_of("x", [{"rate": 1, "foreign_share": 0.2}], [{"rate": 1}]).all()
        self.assertTrue(report.warnings(noisy)[0].startswith("TOO NOISY: in 1 of 1 runs"))

    def test_a_ratio_that_spreads_is_too_noisy(self):
        rows = rows_of("x", [{"rate": 10}, {"rate": 16}], [{"rate": 10}, {"rate": 10}]).all()
        self.assertIn("TOO NOISY: the rate ratio of “x”", report.warnings(rows)[0])

    def test_the_table_says_what_survives_and_what_was_not_measured(self):
        rows = rows_of("x", [{"rate": 2000, "p50_ms": 0.5, "p999_ms": None}], [{"rate": 1000}]).all()
        rows[0]["survives"] = {"kill -9": True, "host crash": "loses 2 minutes", "disk loss": False}
        line = report.rows_table(rows)[2]
        self.assertIn("| 2.0 k | 2.00 of nginx | 0.50 | – | – |", line)
        self.assertIn("| all | loses 2 minutes | nothing |", line)

    def test_figures_that_only_some_scenarios_have_are_shown_by_name(self):
        rows = rows_of("x", [{"rate": 1, "all_ms": 97.0, "requests": 3}], [{"rate": 1}]).all()
        self.assertIn("all woken after ms 97.00", report.rows_table(rows)[2])
        self.assertNotIn("requests", report.rows_table(rows)[2])

    def test_rows_of_scenarios_that_do_their_own_rounds_need_no_optional_fields(self):
        rows = Rows()
        rows.extend([{"scenario": "x", "system": "weir", "role": "weir", "rounds": [{"rate": 1.0}], "survives": {}}])
        self.assertIn("| x | weir |", report.rows_table(rows.all())[2])

    def test_the_whole_text_holds_the_table_the_goals_and_the_notes(self):
        about = {"date": "d", "commit": "c", "machine": "m", "mode": "quick", "rounds": 1, "seconds": 1, "versions": ["v"]}
        text = report.markdown(about, rows_of("x", [{"rate": 1}], [{"rate": 1}]).all(), [("part", 1e6)], ["left out"])
        for part in ("| x | weir |", "| part | 1,000.0 k | 1,000 |", "## Goals", "- left out"):
            self.assertIn(part, text)


class GrowthTest(unittest.TestCase):
    def given(self, what, stored, beside, **figures):
        return {"scenario": f"{what}, {stored:,} stored in 10 topics", "system": "weir", "variant": DEFAULT,
                "beside": beside, "stored": stored, "topics": 10, "rounds": [figures], "notes": ""}

    def test_a_size_is_compared_with_the_smallest_measured_beside_it(self):
        rows = Rows()
        rows.extend(suite.growth_rows([
            self.given("publish", 10_000, 1_000_000, cpu_us=10.0), self.given("publish", 1_000_000, 1_000_000, cpu_us=11.0),
            self.given("publish", 10_000, 20_000_000, cpu_us=10.0), self.given("publish", 20_000_000, 20_000_000, cpu_us=13.0),
        ]))
        self.assertEqual(goals.growth_ratio(rows.all(), DEFAULT), [1.3])
        self.assertIn("1.10", report.rows_table(rows.all())[3])

    def test_the_start_is_that_with_a_million_messages_in_the_log_only(self):
        rows = Rows()
        rows.extend(suite.growth_rows([
            self.given("start after kill -9", 1_000_000, 1_000_000, start_s=0.4),
            {**self.given("start after kill -9 right after", 1_000_000, None, start_s=0.5), "unflushed": None},
            {**self.given("start after kill -9 right after, unflushed", 1_000_000, None, start_s=1.4),
             "unflushed": 1_000_000},
        ]))
        self.assertEqual(goals.unflushed_start(rows.all(), DEFAULT), [1.4])


class ArgumentsTest(unittest.TestCase):
    required = ["--bin", "b", "--out", "o"]

    def parse(self, *arguments):
        return suite.parse_arguments(self.required + list(arguments))

    def refused(self, *arguments):
        error = io.StringIO()
        with contextlib.redirect_stderr(error), self.assertRaises(SystemExit) as raised:
            self.parse(*arguments)
        self.assertNotEqual(raised.exception.code, 0)
        return error.getvalue()

    def test_peers_are_only_measured_when_asked_for(self):
        self.assertNotIn("peers", self.parse().only)
        self.assertIn("peers", self.parse("--peers").only)
        self.assertEqual(self.parse("--only", "healthz", "--peers").only, {"healthz", "peers"})

    def test_full_means_all_but_the_peers(self):
        self.assertEqual(self.parse("--full").only, set(suite.SCENARIOS) - {"peers"})

    def test_wrong_values_are_refused_in_words(self):
        self.assertIn("no scenario nonsense", self.refused("--only", "nonsense"))
        self.assertIn("--rounds", self.refused("--rounds", "0"))
        self.assertIn("--seconds", self.refused("--seconds", "0.01"))
        self.assertIn("not allowed with", self.refused("--quick", "--full"))

    def test_every_mode_names_loads_that_weir_understands(self):
        for mode in suite.MODES.values():
            for size, connections, topics in mode.publishes:
                self.assertEqual(len(message(size)), size)
                self.assertIn(f" {connections:,} connection", publish_title(size, connections, topics))


class LoadsTest(unittest.TestCase):
    def test_a_batch_holds_a_hundred_messages_of_the_size(self):
        self.assertEqual(batch(200).count(message(200)), 100)

    def test_percentiles_of_few_values_are_values(self):
        self.assertEqual(percentiles([1000.0] * 99 + [5000.0]), {"p50_ms": 1.0, "p99_ms": 5.0, "p999_ms": 5.0})

    def test_the_batches_in_flight_are_those_that_the_store_is_measured_with(self):
        self.assertEqual(ceiling_choice([1, 16, 64, 256], 64), 64)
        self.assertEqual(ceiling_choice([1, 16, 256], 64), 16)
        self.assertEqual(ceiling_choice([128, 256], 64), 128)

    def test_the_store_is_compared_at_batches_of_the_same_size(self):
        begin = "append_messages/fsync/in_flight:64/payloads:"
        listed = [f"{begin}1/bytes:200/real_time", f"{begin}100/bytes:1024/real_time", f"{begin}100/bytes:200/real_time"]
        self.assertEqual(ceiling_name(listed, 64), (64, f"{begin}100/bytes:200/real_time"))

    def test_a_folder_that_is_on_no_disk_has_no_flushes(self):
        self.assertIsNone(Disk("/proc").flushes())


if __name__ == "__main__":
    unittest.main()
