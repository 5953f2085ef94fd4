"""What the rounds come to, which bars are met, and what makes a run worthless. `cargo xtask test` runs this."""

import contextlib
import io
import pathlib
import sys
import tempfile
import unittest

from bench import bars, options, report, run, summary
from bench.processes import BenchError, Processes
from bench.summary import Key
from bench.targets import ALL, OURS, STEPS


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
        "ok": 100,
        "due": None,
        "due_answered": 100,
    }
    if target in OURS:
        made |= {"plugin_calls": 4.0, "plugin_faults": 0.0, "history_lines": 5.0}
        made |= {"written_kib": 12.0, "steps": dict.fromkeys(STEPS, 1.0), "history_kept": 5.0}
    return made | more


def measured(rows: list[dict]) -> list[bars.Bar]:
    """The bars of which both sides are in the rows."""
    return [bar for bar in bars.bars(summary.of(rows)) if bar.measured]


class Bars(unittest.TestCase):
    def test_the_median_of_the_rounds_counts_and_every_wrong_answer(self):
        lines = summary.of([row("native", rate, round=number, wrong=number) for number, rate in enumerate([10, 90, 30])])
        line = lines[Key("native", 1, 64, None)]
        self.assertEqual((line.per_s, line.per_s_span, line.wrong, line.rounds), (30, (10, 90), 3, 3))
        self.assertEqual((line.cpu_us, line.rss_mib, line.plugin_calls, line.written_kib), (50.0, 2.0, None, None))

    def test_a_ratio_and_a_difference_are_met_at_the_bound_and_not_past_it(self):
        for ours, cpu_us, met in [(800, 110.0, [True, True]), (799, 110.1, [False, False])]:
            rows = [
                row("native-wal2", 1000),
                row("dragoman-mosquitto", ours, cpu_us_per_command={"gateway": cpu_us}),
            ]
            self.assertEqual([bar.met for bar in measured(rows)], met)

    def test_the_slowest_of_ours_stands_beside_node_red_when_all_were_measured(self):
        rows = [row("node-red", 100), *(row(name, 500 - 67 * number) for number, name in enumerate(OURS))]
        (bar,) = measured(rows)
        self.assertEqual((bar.ours, bar.met), (299, False))
        self.assertEqual(measured(rows[:-1]), [])

    def test_what_was_not_measured_is_said_and_is_no_document(self):
        found = bars.bars(summary.of([row("native-wal2", 1000), row("dragoman-mosquitto", 900)]))
        self.assertEqual((len(found), len([bar for bar in found if bar.measured])), (26, 2))
        self.assertEqual(report.bars(found).count("not measured"), 24)
        everything = [row(name, 9, callers, qos=qos) for name in ALL for callers in (1, 64, 256) for qos in (0, 1)]
        self.assertEqual(len(measured(everything)), len(found))
        paths = [word for name in ("binaries", "plugins", "peers", "out", "docs") for word in (f"--{name}", "x")]
        self.assertEqual(options.parse([*paths, "--fast", "--write-docs"]).docs, pathlib.Path("x"))
        for wrong in ["--quick", "--targets=native", "--qos=1", "--callers=1,64", "--callers=x", "--rounds=0", "--fas"]:
            with self.assertRaises(SystemExit) as ended, contextlib.redirect_stderr(io.StringIO()):
                options.parse([*paths, "--write-docs", wrong])
            self.assertEqual(ended.exception.code, options.USAGE, wrong)

    def test_nothing_beside_nothing_is_not_met(self):
        (bar, _) = measured([row("native-wal2", 0), row("dragoman-mosquitto", 0)])
        self.assertEqual((bar.reached, bar.met), (0.0, False))

    def test_the_added_latency_counts_at_one_caller_only(self):
        slow = {"p50": 1160, "p99": 2000, "p999": 3000}
        for callers, met in [(1, [False]), (64, [])]:
            rows = [row("native", 9, callers), row("dragoman-mosquitto-relaxed", 9, callers, us=slow)]
            found = [bar for bar in measured(rows) if bar.unit == "ms"]
            self.assertEqual([bar.met for bar in found], met)

    def test_a_rate_is_no_closed_loop(self):
        rows = [row("native-wal2", 1000, rate=200.0), row("dragoman-mosquitto", 1, rate=200.0)]
        rows = [each | {"due": 200, "due_answered": 200} for each in rows]
        self.assertEqual(measured(rows), [])

    def test_a_rate_that_was_not_kept_and_a_driver_at_its_limit_are_marked(self):
        for more, marks in [
            ({"rate": 100.0, "due": 200, "due_answered": 200}, []),
            ({"rate": 100.0, "due": 200, "due_answered": 195}, ["rate not kept"]),
            ({"rate": 103.0, "due": 200, "due_answered": 200}, ["rate not kept"]),
            ({"cpu_us_per_command": {"gateway": 19000.0, "loadgen": 9000.0}}, []),
            ({"cpu_us_per_command": {"devices": 9001.0}}, ["devices at its limit"]),
        ]:
            self.assertEqual(list(summary.marks(row("native", 100, **more))), marks, more)

    def test_wrong_answers_and_short_cuts_are_named(self):
        for more, word in [
            ({}, None),
            ({"plugin_calls": 3.0, "history_lines": 4.0, "history_kept": 4.0}, None),
            ({"wrong": 1}, "wrong or missing"),
            ({"ok": 0}, "no command"),
            ({"plugin_calls": 2.9}, "plugin calls"),
            ({"plugin_faults": 1.0}, "faults of the plugin"),
            *(({"steps": dict.fromkeys(STEPS, 1.0) | {step: 0.97}}, step) for step in STEPS),
            ({"history_lines": 3.9}, "history rows"),
            ({"history_kept": 3.9}, "in the store"),
        ]:
            # One bad round among good ones is enough.
            rows = [row("dragoman-embedded", 1, **each) for each in ({}, more, {})]
            found = bars.faults(rows)
            self.assertEqual(len(found), 0 if word is None else 1, more)
            self.assertTrue(word is None or word in found[0], found)

    def test_a_call_that_failed_went_not_well(self):
        name = run.PLUGIN_CALLS
        counted = {
            f'{name}{{plugin="p",export="southbound.dispatch",result="ok"}}': 0.5,
            f'{name}{{plugin="p",export="southbound.dispatch",result="error"}}': 0.5,
            f'{name}{{plugin="p",export="northbound.settled",result="ok"}}': 2.0,
        }
        self.assertEqual((run.went_well(counted, STEPS[1]), run.total(counted, name)), (0.5, 3.0))


class Running(unittest.TestCase):
    def test_a_process_that_ended_unasked_is_a_failure_and_one_that_was_asked_is_not(self):
        with Processes(0) as processes:
            waits = processes.start([sys.executable, "-c", "import time; time.sleep(60)"])
            processes.stop(waits)
            ends = processes.start([sys.executable, "-c", "pass"])
            ends.wait()
            with self.assertRaisesRegex(BenchError, "ended by itself with 0"):
                processes.stop(ends)

    def test_logs_outlive_the_folder_of_a_run(self):
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
            target = pathlib.Path(folder, "run/native")
            target.mkdir(parents=True)
            (target / "daemon.log").write_text("why")
            run.keep_logs(target.parent, pathlib.Path(folder, "logs"))
            self.assertEqual(pathlib.Path(folder, "logs/native-daemon.log").read_text(), "why")


if __name__ == "__main__":
    unittest.main()
