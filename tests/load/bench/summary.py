"""What the rounds of one row come to: the median of each figure, and its span."""

import dataclasses
import statistics


@dataclasses.dataclass(frozen=True)
class Key:
    """What is measured: a target at one QoS, with so many callers, in a closed loop or at a rate."""

    target: str
    qos: int
    callers: int
    rate: float | None


# A rate counts as kept from this part of it on.
RATE_KEPT = 0.98
# Load generator and devices have one thread each: from this part of a processor on, the row is about them.
BUSY = 0.9


@dataclasses.dataclass(frozen=True)
class Line:
    """Medians over the rounds. Times in milliseconds, processor time in microseconds a command, memory in MiB, what goes to
    the disk in KiB a command. What a target does not have is None. `marks` say what to know before the row is read."""

    key: Key
    rounds: int
    per_s: float
    per_s_span: tuple[float, float]
    p50_ms: float
    p99_ms: float
    p999_ms: float
    cpu_us: float | None
    cpu_us_span: tuple[float, float] | None
    rss_mib: float | None
    written_kib: float | None
    plugin_calls: float | None
    history_lines: float | None
    fdatasync_p50_ms: float
    wrong: int
    marks: tuple[str, ...]


def of(rows: list[dict]) -> dict[Key, Line]:
    """One line for each key, in the order in which they were first measured."""
    grouped: dict[Key, list[dict]] = {}
    for row in rows:
        grouped.setdefault(Key(row["target"], row["qos"], row["conns"], row["rate"]), []).append(row)
    return {key: _line(key, group) for key, group in grouped.items()}


def _line(key: Key, group: list[dict]) -> Line:
    per_s = [row["per_s"] for row in group]
    cpu = [row["cpu_us_per_command"].get("gateway") for row in group]
    cpu_us = _median(cpu)
    rss_kib = _median([row["rss_kib"].get("gateway") for row in group])
    return Line(
        key=key,
        rounds=len(group),
        per_s=statistics.median(per_s),
        per_s_span=(min(per_s), max(per_s)),
        p50_ms=statistics.median(row["us"]["p50"] for row in group) / 1000,
        p99_ms=statistics.median(row["us"]["p99"] for row in group) / 1000,
        p999_ms=statistics.median(row["us"]["p999"] for row in group) / 1000,
        cpu_us=cpu_us,
        cpu_us_span=None if cpu_us is None else (min(cpu), max(cpu)),
        rss_mib=None if rss_kib is None else rss_kib / 1024,
        written_kib=_median([row.get("written_kib") for row in group]),
        plugin_calls=_median([row.get("plugin_calls") for row in group]),
        history_lines=_median([row.get("history_lines") for row in group]),
        fdatasync_p50_ms=statistics.median(row["fdatasync_p50_ms"] for row in group),
        wrong=sum(row["wrong"] for row in group),
        marks=tuple(dict.fromkeys(mark for row in group for mark in marks(row))),
    )


def marks(row: dict):
    """What to know before one row is read."""
    rate = row["rate"]
    if rate is not None and (row["per_s"] < RATE_KEPT * rate or row["due_answered"] < RATE_KEPT * row["due"]):
        yield "rate not kept"
    for name in ("loadgen", "devices"):
        if row["cpu_us_per_command"].get(name, 0) * row["per_s"] > BUSY * 1e6:
            yield f"{name} at its limit"


def _median(values: list[float | None]) -> float | None:
    present = [value for value in values if value is not None]
    return statistics.median(present) if present else None
