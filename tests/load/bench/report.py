"""The tables, in Markdown."""

import time

from bench.bars import Bar, Measure
from bench.options import Options
from bench.summary import Key, Line

HEAD = (
    "| target | callers | commands/s (span) | p50 ms | p99 ms | p99.9 ms | gateway CPU us/command (span) | RSS MiB "
    "| written KiB/command | plugin calls | history rows | fdatasync p50 ms | wrong | notes |"
)


def rows(lines: dict[Key, Line]) -> str:
    """A table for each QoS and loop, in order of callers."""
    parts = []
    for qos, rate in dict.fromkeys((key.qos, key.rate) for key in lines):
        mine = [line for key, line in lines.items() if (key.qos, key.rate) == (qos, rate)]
        mine.sort(key=lambda line: line.key.callers)
        loop = f"open loop, {rate:g} commands a second" if rate else "closed loop"
        table = [HEAD, "|---" * HEAD.count(" | ") + "|---|", *(_row(line) for line in mine)]
        parts.append(f"### QoS {qos}, {loop}\n\n" + "\n".join(table) + "\n")
    return "\n".join(parts)


def _row(line: Line) -> str:
    low, high = line.per_s_span
    cells = [
        line.key.target,
        str(line.key.callers),
        f"{line.per_s:.0f} ({low:.0f}-{high:.0f})",
        f"{line.p50_ms:.2f}",
        f"{line.p99_ms:.2f}",
        f"{line.p999_ms:.2f}",
        "" if line.cpu_us is None else f"{line.cpu_us:.0f} ({line.cpu_us_span[0]:.0f}-{line.cpu_us_span[1]:.0f})",
        "" if line.rss_mib is None else f"{line.rss_mib:.0f}",
        "" if line.written_kib is None else f"{line.written_kib:.1f}",
        "" if line.plugin_calls is None else f"{line.plugin_calls:.2f}",
        "" if line.history_lines is None else f"{line.history_lines:.2f}",
        f"{line.fdatasync_p50_ms:.2f}",
        str(line.wrong),
        ", ".join(line.marks),
    ]
    return "| " + " | ".join(cells) + " |"


def bars(found: list[Bar]) -> str:
    """A row for each bar."""
    lines = ["| bar | ours | theirs | reached | bound | met |", "|---|---|---|---|---|---|"]
    for bar in found:
        if not bar.measured:
            lines.append(f"| {bar.what} | | | | {_bound(bar)} | not measured |")
            continue
        times = bar.measure is Measure.AT_LEAST_TIMES
        reached = f"{bar.reached:.2f} ×" if times else f"{bar.reached:+.2f} {bar.unit}"
        ours, theirs = _figure(bar.ours, bar.unit), _figure(bar.theirs, bar.unit)
        lines.append(f"| {bar.what} | {ours} | {theirs} | {reached} | {_bound(bar)} | {'yes' if bar.met else '**no**'} |")
    return "\n".join(lines) + "\n"


def _bound(bar: Bar) -> str:
    if bar.measure is Measure.AT_LEAST_TIMES:
        return f"at least {bar.bound:g} ×"
    return f"at most +{bar.bound:g} {bar.unit}"


def _figure(value: float, unit: str) -> str:
    return f"{value:.2f} {unit}" if unit == "ms" else f"{value:.0f} {unit}"


def document(
    lines: dict[Key, Line], found: list[Bar], faults: list[str], facts: dict[str, str], options: Options
) -> str:
    """docs/bench.md. What is wrong with the figures stands before them."""
    warning = "".join(f"- {fault}\n" for fault in faults)
    if warning:
        warning = f"**The bench failed:**\n\n{warning}\n"
    about = "\n".join(f"| {name} | {value} |" for name, value in facts.items())
    day = time.strftime("%Y-%m-%d", time.gmtime())
    loops = "a closed loop" + (" and an open one at fixed rates" if options.rates else "")
    return f"""# What a command costs

Written by `{options.command}`; do not edit. `tests/load/README.md` says what each target is and how it is measured.

Huawei IoTDA's synchronous command (`POST /v5/iot/p/devices/DEVICE/commands`), {options.devices} devices, each with a
connection of its own, answering at once; {loops}. Gateway, broker, devices and load generator share the machine. Each
figure is the median of {options.rounds} interleaved rounds of {options.seconds:g} s, the span its smallest and largest.
Gateway CPU and RSS are those of the gateway's process alone, which for `dragoman-embedded` is the broker, too.

{warning}| | |
|---|---|
| date | {day} |
{about}

![Commands a second by callers](bench.svg)

## Bars

{bars(found)}
## Rows

{rows(lines)}"""
