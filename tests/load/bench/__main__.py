"""Runs the bench. Ends with 0 where all is well, 1 where the figures do not count, 2 where a bar is not met."""

import dataclasses
import json
import sys
import time

from bench import bars, machine, options, plot, report, run, summary
from bench.processes import BenchError
from bench.summary import Key

NOT_MET = 2


def main() -> int:
    """Measures, prints the tables, keeps the raw results."""
    asked = options.parse(sys.argv[1:])
    asked.out.mkdir(parents=True, exist_ok=True)
    facts = machine.facts()
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    raw = asked.out / f"{stamp}.json"
    rows: list[dict] = []
    failed = None
    print(f"about {asked.minutes:.0f} minutes", file=sys.stderr)
    try:
        run.run(asked, asked.out / f"{stamp}-logs", rows)
    except BaseException as error:
        failed = f"{type(error).__name__}: {error}"
        raise
    finally:
        kept = {"command": asked.command, "machine": facts, "failed": failed, "rows": rows}
        raw.write_text(json.dumps(kept, indent=1))
    lines = summary.of(rows)
    found = bars.bars(lines)
    faults = bars.faults(rows)
    text = report.document(lines, found, faults, facts, asked)
    (asked.out / f"{stamp}.md").write_text(text)
    print(report.rows(lines))
    measured = [bar for bar in found if bar.measured]
    if measured:
        print(report.bars(measured))
    if len(measured) < len(found):
        print(f"not measured: {len(found) - len(measured)} of {len(found)} bars")
    if asked.metrics:
        print_counted(rows)
    print(f"raw results: {raw}")

    if asked.docs is not None:
        (asked.docs / "bench.md").write_text(text)
        plot.write(lines, asked.docs / "bench.svg")
    for fault in faults:
        print(f"error: {fault}", file=sys.stderr)
    if faults:
        return 1
    missed = [bar for bar in measured if not bar.met]
    for bar in missed:
        print(f"not met: {bar.what}: {bar.reached:.2f}, bound {bar.bound:g}", file=sys.stderr)
    return NOT_MET if missed else 0


def print_counted(rows: list[dict]):
    """What a gateway counted of itself for each command, row by row."""
    for row in rows:
        if "counted" in row:
            key = Key(row["target"], row["qos"], row["conns"], row["rate"])
            print(f"\n{dataclasses.astuple(key)} round {row['round']}, a command:")
            for name, value in sorted(row["counted"].items()):
                print(f"  {value:>12.6f}  {name}")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
