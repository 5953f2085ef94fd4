"""What ours must reach beside the others of the same run; and what makes a run worthless."""

import dataclasses
import enum

from bench.summary import Key, Line
from bench.targets import EMBEDDED, EMBEDDED_RELAXED, MOSQUITTO, MOSQUITTO_RELAXED, OURS

# A command that went the whole way: the application's call, the dispatch, the device's answer.
PLUGIN_CALLS_MIN = 3
# Taken, sent, what the device said, the end.
HISTORY_LINES_MIN = 4
# Counters are read a moment before or after the last call, so a whole number may come out a little low.
ROUNDING = 0.02
# The numbers of callers for which throughput and processor time count.
CALLERS = (64, 256)

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
    """One bar and what came of it."""

    what: str
    ours: float
    theirs: float
    measure: Measure
    bound: float
    unit: str

    @property
    def reached(self) -> float:
        """What stands against the bound: a ratio, or a difference."""
        return self.ours / self.theirs if self.measure is Measure.AT_LEAST_TIMES else self.ours - self.theirs

    @property
    def met(self) -> bool:
        """Whether it is reached."""
        if self.measure is Measure.AT_LEAST_TIMES:
            return self.reached >= self.bound
        return self.reached <= self.bound


def bars(lines: dict[Key, Line]) -> list[Bar]:
    """Every bar of which both sides were measured."""
    found = []
    for qos in dict.fromkeys(key.qos for key in lines):

        def line(target: str, callers: int) -> Line | None:
            return lines.get(Key(target, qos, callers, None))

        def times(what: str, ours: Line | None, theirs: Line | None, bound: float):
            if ours and theirs:
                found.append(Bar(what, ours.per_s, theirs.per_s, Measure.AT_LEAST_TIMES, bound, "commands/s"))

        for ours, theirs, bound in RATIOS:
            for callers in CALLERS:
                what = f"{ours} beside {theirs}, QoS {qos}, {callers} callers"
                times(what, line(ours, callers), line(theirs, callers), bound)
        for callers in CALLERS:
            ours, theirs = line(MOSQUITTO, callers), line("native-wal2", callers)
            if ours and theirs:
                what = f"CPU a command, {MOSQUITTO} beside native-wal2, QoS {qos}, {callers} callers"
                found.append(Bar(what, ours.cpu_us, theirs.cpu_us, Measure.AT_MOST_MORE, CPU_ADDED_US_MAX, "us"))
        ours, theirs = line(MOSQUITTO_RELAXED, 1), line("native", 1)
        if ours and theirs:
            what = f"p50 of one caller, {MOSQUITTO_RELAXED} beside native, QoS {qos}"
            found.append(Bar(what, ours.p50_ms, theirs.p50_ms, Measure.AT_MOST_MORE, P50_ADDED_MS_MAX, "ms"))
        for callers in CALLERS:
            slowest = min(filter(None, (line(name, callers) for name in OURS)), key=lambda one: one.per_s, default=None)
            name = slowest.key.target if slowest else ""
            what = f"the slowest of ours ({name}) beside node-red, QoS {qos}, {callers} callers"
            times(what, slowest, line("node-red", callers), NODE_RED_TIMES)
    return found


def faults(lines: dict[Key, Line]) -> list[str]:
    """Why the figures do not count, a sentence each."""
    found = []
    for key, line in lines.items():
        where = f"{key.target}, QoS {key.qos}, {key.callers} callers"
        if line.wrong:
            found.append(f"{where}: {line.wrong} answers were wrong or missing; every call must have its own.")
        if line.plugin_calls is not None and line.plugin_calls < PLUGIN_CALLS_MIN - ROUNDING:
            found.append(
                f"{where}: {line.plugin_calls:.2f} plugin calls a command; fewer than {PLUGIN_CALLS_MIN} are a short cut."
            )
        if line.history_lines is not None and line.history_lines < HISTORY_LINES_MIN - ROUNDING:
            found.append(
                f"{where}: {line.history_lines:.2f} history rows a command; "
                f"fewer than {HISTORY_LINES_MIN} do not tell what became of it."
            )
    return found
