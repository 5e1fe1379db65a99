import unittest

import profile_file

# Two functions; `outer` calls `inner` twice, and a part of it is inlined from another file.
PROFILE = """# callgrind format
version: 1
events: Ir
summary: 130

ob=(1) /usr/bin/weir
fl=(1) a.cc
fn=(1) outer(int)
16 4
+2 6
fi=(2) b.h
7 10
cfi=(3) c.cc
cfn=(2) simdjson::haswell::inner()
calls=2 +3
* 100
fe=(1)
20 5

fn=(2)
30 65
-1 40

totals: 130
"""


class ProfileFile(unittest.TestCase):
    def test_the_total_is_what_was_executed(self):
        self.assertEqual(profile_file.total(PROFILE), 130)

    def test_a_file_whose_lines_sum_up_to_something_else_is_an_error(self):
        with self.assertRaises(ValueError):
            profile_file.total(PROFILE.replace("summary: 130", "summary: 128"))

    def test_half_a_file_is_an_error(self):
        with self.assertRaises(ValueError):
            profile_file.total("# callgrind format\nversion: 1\n")

    def test_a_function_costs_its_own_lines_without_its_calls(self):
        self.assertEqual(
            profile_file.by_function(PROFILE), {"outer(int)": 25, "simdjson::haswell::inner()": 105}
        )

    def test_the_kernel_is_the_one_that_ran(self):
        self.assertEqual(profile_file.simdjson_kernel(PROFILE), "haswell")
        self.assertEqual(profile_file.simdjson_kernel("fn=(1) simdjson::dom::parser\n"), "none")

    def test_differences_are_a_request_and_begin_with_the_largest(self):
        self.assertEqual(
            profile_file.differences({"a": 100, "b": 50}, {"a": 120, "c": 300}, 10),
            [(30.0, 0.0, 30.0, "c"), (-5.0, 5.0, 0.0, "b"), (2.0, 10.0, 12.0, "a")],
        )


if __name__ == "__main__":
    unittest.main()
