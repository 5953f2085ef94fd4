"""What can be asked of the bench on its command line."""

import argparse
import dataclasses
import pathlib

from bench import targets


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


def parse(arguments: list[str]) -> Options:
    """Reads the command line; ends the process where it is wrong."""
    parser = argparse.ArgumentParser(prog="cargo xtask bench", description=__doc__)
    for name in ("binaries", "plugins", "peers", "out", "docs"):
        parser.add_argument(f"--{name}", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--targets", default=",".join(targets.ALL), help="which, by commas: %(default)s")
    parser.add_argument("--rounds", type=int, help="rounds, of which the median counts [5; quick: 1]")
    parser.add_argument("--seconds", type=float, help="what is measured of each row [5; quick: 2]")
    parser.add_argument("--warm-seconds", type=float, help="what goes before it [2; quick: 1]")
    parser.add_argument("--callers", help="callers at once, each waiting for its answer [1,64,256,1024; quick: 64]")
    parser.add_argument("--rates", help="commands a second of the open loop, by commas [200,1000; quick: none]")
    parser.add_argument("--rate-callers", type=int, default=256, help="most calls open at once in the open loop [256]")
    parser.add_argument("--qos", help="QoS of the devices, by commas [1,0; quick: 1]")
    parser.add_argument("--devices", type=int, default=64, help="devices, each with a connection [64]")
    parser.add_argument("--boost", type=int, default=0, help="priority for every process alike, on a busy machine; root only")
    parser.add_argument("--quick", action="store_true", help="one short round, for a look while working")
    parser.add_argument("--write-docs", action="store_true", help="write docs/bench.md and docs/bench.svg")
    parser.add_argument("--metrics", action="store_true", help="print what the gateway counted of itself per command")
    given = parser.parse_args(arguments)

    def choose(value, full, quick):
        return value if value is not None else quick if given.quick else full

    names = given.targets.split(",")
    unknown = [name for name in names if name not in targets.ALL]
    if unknown:
        parser.error(f"no target {unknown[0]}; there are {', '.join(targets.ALL)}")
    return Options(
        binaries=given.binaries,
        plugins=given.plugins,
        peers=given.peers,
        out=given.out,
        docs=given.docs if given.write_docs else None,
        names=names,
        rounds=choose(given.rounds, 5, 1),
        seconds=choose(given.seconds, 5.0, 2.0),
        warm_seconds=choose(given.warm_seconds, 2.0, 1.0),
        callers=_numbers(choose(given.callers, "1,64,256,1024", "64"), int),
        rates=_numbers(choose(given.rates, "200,1000", ""), float),
        rate_callers=given.rate_callers,
        qos=_numbers(choose(given.qos, "1,0", "1"), int),
        devices=given.devices,
        boost=given.boost,
        metrics=given.metrics,
        command=_typed(arguments),
    )


def _numbers(text: str, kind):
    return [kind(part) for part in text.split(",") if part]


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
