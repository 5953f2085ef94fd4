"""What ours must reach beside the others of the same run; and what makes a run worthless."""

import dataclasses
import enum

from bench.summary import Key, Line
from bench.targets import ALL, EMBEDDED, EMBEDDED_RELAXED, MOSQUITTO, MOSQUITTO_RELAXED, OURS, STEPS

# A command that went the whole way: the application's call, the dispatch, the device's answer.
PLUGIN_CALLS_MIN = 3
# Taken, sent, what the device said, the end.
HISTORY_LINES_MIN = 4
# Counters are read a moment before or after the last call, so a whole number may come out a little low.
ROUNDING = 0.02
# The numbers of callers for which throughput and processor time count, and the QoS for which all bars hold.
CALLERS = (64, 256)
QOS = (1, 0)

RATIOS = (
    (MOSQUITTO, "native-wal2", 0.8),
    (MOSQUITTO_RELAXED, "native", 0.7),
    (EMBEDDED, "native-wal2", 1.0),
    (EMBEDDED_RELAXED, "native", 1.0),
)
CPU_ADDED_US_MAX = 60
P50_ADDED_MS_MAX = 0.15
NODE_RED_TIMES = 3


class Measure(enum.Enum):
    """How the two figures of a bar compare."""

    AT_LEAST_TIMES = "at least × theirs"
    AT_MOST_MORE = "at most theirs +"


@dataclasses.dataclass(frozen=True)
class Bar:
    """One bar and what came of it. A side that was not measured is None."""

    what: str
    ours: float | None
    theirs: float | None
    measure: Measure
    bound: float
    unit: str

    @property
    def measured(self) -> bool:
        """Whether both sides were measured."""
        return self.ours is not None and self.theirs is not None

    @property
    def reached(self) -> float:
        """What stands against the bound: a ratio, or a difference. Of a measured bar only."""
        if self.measure is Measure.AT_MOST_MORE:
            return self.ours - self.theirs
        # Nothing is a multiple of nothing; such a row is a fault anyway.
        return self.ours / self.theirs if self.theirs else 0.0

    @property
    def met(self) -> bool:
        """Whether it is reached. Of a measured bar only."""
        if self.measure is Measure.AT_LEAST_TIMES:
            return self.reached >= self.bound
        return self.reached <= self.bound


def bars(lines: dict[Key, Line]) -> list[Bar]:
    """Every bar there is, also those of which a side was not measured."""
    found = []
    for qos in QOS:

        def figure(target: str, callers: int, name: str) -> float | None:
            line = lines.get(Key(target, qos, callers, None))
            return getattr(line, name) if line else None

        def add(what: str, ours: float | None, theirs: float | None, measure: Measure, bound: float, unit: str):
            found.append(Bar(what, ours, theirs, measure, bound, unit))

        for ours, theirs, bound in RATIOS:
            for callers in CALLERS:
                what = f"{ours} beside {theirs}, QoS {qos}, {callers} callers"
                sides = figure(ours, callers, "per_s"), figure(theirs, callers, "per_s")
                add(what, *sides, Measure.AT_LEAST_TIMES, bound, "commands/s")
        for callers in CALLERS:
            what = f"CPU a command, {MOSQUITTO} beside native-wal2, QoS {qos}, {callers} callers"
            sides = figure(MOSQUITTO, callers, "cpu_us"), figure("native-wal2", callers, "cpu_us")
            add(what, *sides, Measure.AT_MOST_MORE, CPU_ADDED_US_MAX, "us")
        what = f"p50 of one caller, {MOSQUITTO_RELAXED} beside native, QoS {qos}"
        sides = figure(MOSQUITTO_RELAXED, 1, "p50_ms"), figure("native", 1, "p50_ms")
        add(what, *sides, Measure.AT_MOST_MORE, P50_ADDED_MS_MAX, "ms")
        for callers in CALLERS:
            rates = {name: figure(name, callers, "per_s") for name in OURS}
            # Which is slowest is known when all are.
            slowest = None if None in rates.values() else min(rates, key=rates.get)
            what = f"the slowest of ours ({slowest or 'all four'}) beside node-red, QoS {qos}, {callers} callers"
            sides = rates.get(slowest), figure("node-red", callers, "per_s")
            add(what, *sides, Measure.AT_LEAST_TIMES, NODE_RED_TIMES, "commands/s")
    return found


def not_measurable(names: list[str], callers: list[int], qos: list[int]) -> list[str]:
    """What a run of these would leave without a figure."""
    missing = [f"target {name}" for name in ALL if name not in names]
    missing += [f"{count} callers" for count in (1, *CALLERS) if count not in callers]
    return missing + [f"QoS {one}" for one in QOS if one not in qos]


def faults(rows: list[dict]) -> list[str]:
    """Why the figures do not count, a sentence each. Every row of every round is looked at, not their median."""
    found = []
    for row in rows:
        loop = f"{row['conns']} callers" if row["rate"] is None else f"{row['rate']:g} commands a second"
        where = f"{row['target']}, QoS {row['qos']}, {loop}, round {row['round']}"
        found += [f"{where}: {fault}" for fault in _faults(row)]
    return found


def _faults(row: dict):
    if row["wrong"]:
        yield f"{row['wrong']} answers were wrong or missing; every call must have its own."
    if not row["ok"]:
        yield "no command was answered while it was measured."
    if row["target"] not in OURS:
        return
    if row["plugin_faults"]:
        yield f"{row['plugin_faults']:.0f} faults of the plugin."
    if row["plugin_calls"] < PLUGIN_CALLS_MIN - ROUNDING:
        yield f"{row['plugin_calls']:.2f} plugin calls a command; fewer than {PLUGIN_CALLS_MIN} are a short cut."
    for step in STEPS:
        if row["steps"][step] < 1 - ROUNDING:
            yield f"{row['steps'][step]:.2f} calls of {step} a command went well; fewer than 1 are a short cut."
    if row["history_lines"] < HISTORY_LINES_MIN - ROUNDING:
        yield (
            f"{row['history_lines']:.2f} history rows a command; "
            f"fewer than {HISTORY_LINES_MIN} do not tell what became of it."
        )
    # Of the last row of each start: what is in the store after the gateway ended.
    kept = row.get("history_kept")
    if kept is not None and kept < HISTORY_LINES_MIN - ROUNDING:
        yield (
            f"{kept:.2f} history rows a command were in the store after the gateway ended; "
            f"fewer than {HISTORY_LINES_MIN} do not tell what became of it."
        )
