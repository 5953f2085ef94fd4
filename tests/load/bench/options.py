"""What can be asked of the bench on its command line."""

import argparse
import dataclasses
import pathlib
import sys

from bench import bars, targets


# Wrong usage, as sysexits.h has it: 1 and 2 say something about the figures.
USAGE = 64
# How long a target takes to start, and a row beside its time, both measured.
START_S = 2.5
ROW_S = 0.25


@dataclasses.dataclass(frozen=True)
class Extent:
    """How much is measured where the command line does not say."""

    rounds: int
    seconds: float
    warm_seconds: float
    callers: str
    rates: str
    qos: str


FULL = Extent(5, 5.0, 2.0, "1,64,256,1024", "200,1000", "1,0")
FAST = Extent(5, 1.2, 0.4, "1,64,256,1024", "1000", "1,0")
QUICK = Extent(1, 2.0, 1.0, "64", "", "1")


@dataclasses.dataclass(frozen=True)
class Options:
    """One run. `binaries` has the gateway and the native programs, `plugins` the components, `peers` the Node programs with
    their packages, `out` is where raw results and the table go."""

    binaries: pathlib.Path
    plugins: pathlib.Path
    peers: pathlib.Path
    out: pathlib.Path
    docs: pathlib.Path | None
    names: list[str]
    rounds: int
    seconds: float
    warm_seconds: float
    callers: list[int]
    rates: list[float]
    rate_callers: int
    qos: list[int]
    devices: int
    boost: int
    metrics: bool
    command: str

    @property
    def minutes(self) -> float:
        """About how long the run takes."""
        starts = len(self.names) * len(self.qos) * self.rounds
        rows = starts * (len(self.callers) + len(self.rates))
        return (starts * START_S + rows * (self.seconds + self.warm_seconds + ROW_S)) / 60


def parse(arguments: list[str]) -> Options:
    """Reads the command line; ends the process where it is wrong."""
    # Abbreviations are not for `cargo xtask`, which looks at some of these, too.
    parser = Parser(prog="cargo xtask bench", description=__doc__, allow_abbrev=False)
    for name in ("binaries", "plugins", "peers", "out", "docs"):
        parser.add_argument(f"--{name}", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--targets", default=",".join(targets.ALL), help="which, by commas: %(default)s")
    parser.add_argument("--rounds", type=int, help="rounds, of which the median counts [5; quick: 1]")
    parser.add_argument("--seconds", type=float, help="what is measured of each row [5; fast: 1.2; quick: 2]")
    parser.add_argument("--warm-seconds", type=float, help="what goes before it [2; fast: 0.4; quick: 1]")
    parser.add_argument("--callers", help="callers at once, each waiting for its answer [1,64,256,1024; quick: 64]")
    parser.add_argument("--rates", help="commands a second of the open loop, by commas [200,1000; fast: 1000; quick: none]")
    parser.add_argument("--rate-callers", type=int, default=256, help="most calls open at once in the open loop [256]")
    parser.add_argument("--qos", help="QoS of the devices, by commas [1,0; quick: 1]")
    parser.add_argument("--devices", type=int, default=64, help="devices, each with a connection [64]")
    parser.add_argument("--boost", type=int, default=0, help="priority for every process alike, on a busy machine; root only")
    extent = parser.add_mutually_exclusive_group()
    extent.add_argument("--fast", action="store_true", help="every target and every bar, in short rows: about 20 minutes")
    extent.add_argument("--quick", action="store_true", help="one short round, for a look while working")
    parser.add_argument("--write-docs", action="store_true", help="write docs/bench.md and docs/bench.svg")
    parser.add_argument("--metrics", action="store_true", help="print what the gateway counted of itself per command")
    given = parser.parse_args(arguments)

    usual = QUICK if given.quick else FAST if given.fast else FULL

    def choose(name: str):
        value = getattr(given, name)
        return value if value is not None else getattr(usual, name)

    names = given.targets.split(",")
    unknown = [name for name in names if name not in targets.ALL]
    if unknown:
        parser.error(f"no target {unknown[0]}; there are {', '.join(targets.ALL)}")
    callers, qos = _numbers(parser, choose("callers"), int), _numbers(parser, choose("qos"), int)
    if given.write_docs:
        missing = bars.not_measurable(names, callers, qos)
        if missing:
            parser.error(f"--write-docs needs every bar, and this run would not measure: {missing[0]}")
    if choose("rounds") < 1 or choose("seconds") <= 0 or choose("warm_seconds") < 0 or min(callers, default=1) < 1:
        parser.error("rounds, seconds and callers must be more than nothing")
    return Options(
        binaries=given.binaries,
        plugins=given.plugins,
        peers=given.peers,
        out=given.out,
        docs=given.docs if given.write_docs else None,
        names=names,
        rounds=choose("rounds"),
        seconds=choose("seconds"),
        warm_seconds=choose("warm_seconds"),
        callers=callers,
        rates=_numbers(parser, choose("rates"), float),
        rate_callers=given.rate_callers,
        qos=qos,
        devices=given.devices,
        boost=given.boost,
        metrics=given.metrics,
        command=_typed(arguments),
    )


class Parser(argparse.ArgumentParser):
    """Ends with `USAGE` where the command line is wrong."""

    def error(self, message: str):
        """Says what is wrong."""
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: error: {message}\n")


def _numbers(parser: Parser, text: str, kind):
    try:
        return [kind(part) for part in text.split(",") if part]
    except ValueError as error:
        parser.error(f"{text} are no numbers with commas between: {error}")


def _typed(arguments: list[str]) -> str:
    """The command as a person types it, without the paths that `cargo xtask` adds."""
    hidden = {"--binaries", "--plugins", "--peers", "--out", "--docs"}
    shown, skip = [], False
    for argument in arguments:
        if skip:
            skip = False
        elif argument in hidden:
            skip = True
        else:
            shown.append(argument)
    return " ".join(["cargo xtask bench", *shown])
