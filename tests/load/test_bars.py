"""What the rounds come to, which bars are met, and what makes a run worthless. `cargo xtask test` runs this."""

import unittest

from bench import bars, summary
from bench.summary import Key


def row(target: str, per_s: float, callers: int = 64, round: int = 0, **more) -> dict:
    """A row as the load generator and the gateway make it."""
    made = {
        "target": target,
        "qos": 1,
        "conns": callers,
        "rate": None,
        "round": round,
        "per_s": per_s,
        "us": {"p50": 1000, "p99": 2000, "p999": 3000},
        "cpu_us_per_command": {"gateway": 50.0},
        "rss_kib": {"gateway": 2048},
        "fdatasync_p50_ms": 4.0,
        "wrong": 0,
    }
    return made | more


class Bars(unittest.TestCase):
    def test_the_median_of_the_rounds_counts_and_every_wrong_answer(self):
        lines = summary.of([row("native", rate, round=number, wrong=number) for number, rate in enumerate([10, 90, 30])])
        line = lines[Key("native", 1, 64, None)]
        self.assertEqual((line.per_s, line.per_s_span, line.wrong, line.rounds), (30, (10, 90), 3, 3))
        self.assertEqual((line.cpu_us, line.rss_mib, line.plugin_calls), (50.0, 2.0, None))

    def test_a_ratio_and_a_difference_are_met_at_the_bound_and_not_past_it(self):
        for ours, cpu_us, met in [(800, 110.0, [True, True]), (799, 110.1, [False, False])]:
            rows = [
                row("native-wal2", 1000),
                row("dragoman-mosquitto", ours, cpu_us_per_command={"gateway": cpu_us}),
            ]
            self.assertEqual([bar.met for bar in bars.bars(summary.of(rows))], met)

    def test_the_slowest_of_ours_stands_beside_node_red(self):
        rows = [row("node-red", 100), row("dragoman-mosquitto", 500), row("dragoman-embedded", 299)]
        (bar,) = bars.bars(summary.of(rows))
        self.assertEqual((bar.ours, bar.met), (299, False))

    def test_the_added_latency_counts_at_one_caller_only(self):
        slow = {"p50": 1160, "p99": 2000, "p999": 3000}
        for callers, met in [(1, [False]), (64, [])]:
            rows = [row("native", 9, callers), row("dragoman-mosquitto-relaxed", 9, callers, us=slow)]
            found = [bar for bar in bars.bars(summary.of(rows)) if bar.unit == "ms"]
            self.assertEqual([bar.met for bar in found], met)

    def test_a_rate_is_no_closed_loop(self):
        rows = [row("native-wal2", 1000, rate=200.0), row("dragoman-mosquitto", 1, rate=200.0)]
        self.assertEqual(bars.bars(summary.of(rows)), [])

    def test_wrong_answers_and_short_cuts_are_named(self):
        for more, word in [
            ({}, None),
            ({"plugin_calls": 3.0, "history_lines": 4.0}, None),
            ({"wrong": 1}, "wrong or missing"),
            ({"plugin_calls": 2.9, "history_lines": 4.0}, "plugin calls"),
            ({"plugin_calls": 3.0, "history_lines": 3.9}, "history rows"),
        ]:
            found = bars.faults(summary.of([row("dragoman-embedded", 1, **more)]))
            self.assertEqual(len(found), 0 if word is None else 1, more)
            self.assertTrue(word is None or word in found[0], found)


if __name__ == "__main__":
    unittest.main()
