import unittest

import verdict

BASELINE = {"publish": 1000, "healthz": 200}


def judge(measured, baseline=None):
    return verdict.judge(measured, BASELINE if baseline is None else baseline, lambda path: f"  look into {path}\n")


class Judge(unittest.TestCase):
    def test_passes_what_costs_the_same(self):
        outcome = judge({"publish": [1000], "healthz": [200]})
        self.assertTrue(outcome.compared)
        self.assertFalse(outcome.failed)
        self.assertNotIn("NOTE", outcome.text)

    def test_passes_what_costs_five_percent_more(self):
        self.assertFalse(judge({"publish": [1050], "healthz": [210]}).failed)

    def test_fails_what_costs_over_five_percent_more(self):
        outcome = judge({"publish": [1051], "healthz": [200]})
        self.assertTrue(outcome.failed)
        self.assertIn("publish: 1051 instructions, baseline 1000: +5.1 %, allowed +5 %", outcome.text)

    def test_says_where_to_look_and_how_to_accept(self):
        outcome = judge({"publish": [1000], "healthz": [300]})
        self.assertIn("look into healthz", outcome.text)
        self.assertNotIn("look into publish", outcome.text)
        self.assertIn("measure.py --update", outcome.text)

    def test_reports_every_path_that_fails(self):
        outcome = judge({"publish": [1100], "healthz": [300]})
        self.assertIn("look into healthz", outcome.text)
        self.assertIn("look into publish", outcome.text)

    def test_passes_what_got_cheaper_but_asks_for_a_new_baseline(self):
        outcome = judge({"publish": [940], "healthz": [200]})
        self.assertFalse(outcome.failed)
        self.assertIn("NOTE: cheaper by more than 5 %: publish.", outcome.text)

    def test_does_not_hide_a_failure_behind_a_gain(self):
        self.assertTrue(judge({"publish": [500], "healthz": [220]}).failed)

    def test_fails_a_path_that_was_not_measured(self):
        outcome = judge({"publish": [1000]})
        self.assertTrue(outcome.failed)
        self.assertIn("healthz: is in the baseline and was not measured", outcome.text)

    def test_fails_a_path_that_the_baseline_does_not_know(self):
        outcome = judge({"publish": [1000], "healthz": [200], "consume": [50]})
        self.assertTrue(outcome.failed)
        self.assertIn("consume: 50 instructions, and the baseline does not know it", outcome.text)

    def test_fails_everything_against_an_empty_baseline(self):
        self.assertTrue(judge({"publish": [1000]}, {}).failed)

    def test_takes_the_middle_window(self):
        self.assertFalse(judge({"publish": [990, 1000, 1010, 1000, 9000], "healthz": [200]}).failed)
        self.assertTrue(judge({"publish": [1000, 1000, 1100, 1100, 1100], "healthz": [200]}).failed)


class Table(unittest.TestCase):
    def test_shows_change_and_spread(self):
        row = verdict.table({"publish": [990, 1020, 1000]}, {"publish": 800}).splitlines()[1]
        self.assertEqual(row.split(), ["publish", "800", "1000", "+25.0", "%", "-1.00", "%", "+2.00", "%"])

    def test_calls_a_path_new_that_has_no_baseline(self):
        self.assertIn(" new ", verdict.table({"publish": [1000]}, {}))


class OtherToolchain(unittest.TestCase):
    def test_is_silent_about_the_same(self):
        self.assertEqual(verdict.other_toolchain({"compiler": "GNU 12.2.0"}, {"compiler": "GNU 12.2.0"}), [])

    def test_names_what_differs(self):
        lines = verdict.other_toolchain({"compiler": "GNU 12.2.0", "fmt": "9"}, {"compiler": "GNU 13.1.0", "fmt": "9"})
        self.assertEqual(lines, ["compiler: baseline GNU 12.2.0, here GNU 13.1.0"])

    def test_names_what_only_one_side_has(self):
        self.assertEqual(
            verdict.other_toolchain({"fmt": "9"}, {"glibc": "2.36"}),
            ["fmt: baseline 9, here unknown", "glibc: baseline unknown, here 2.36"],
        )

    def test_is_said_aloud_and_no_failure(self):
        outcome = verdict.not_compared(["compiler: baseline GNU 12.2.0, here GNU 13.1.0"])
        self.assertFalse(outcome.compared)
        self.assertFalse(outcome.failed)
        self.assertIn("NOT COMPARED", outcome.text)
        self.assertIn("GNU 13.1.0", outcome.text)


if __name__ == "__main__":
    unittest.main()
