"""Round after round: each target alone on the machine with the broker and the devices, each row measured alike."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

from bench import gateway, machine, mosquitto, peers, summary
from bench.options import Options
from bench.processes import Processes
from bench.targets import MQTT_ONLY, OURS, STEPS, Place, Serving

# Beyond what it measures, a load generator may wait this long for the calls that are under way.
PATIENCE_S = 60
# Of a target's log, what is shown when an answer was wrong.
LOG_BYTES_SHOWN = 4096
# After the last answer: when the history counts as written, and how long that may take.
SETTLED_AFTER_S = 0.1
SETTLES_WITHIN_S = 5.0
PLUGIN_CALLS = "dragoman_plugin_calls_total"
PLUGIN_FAULTS = "dragoman_plugin_faults_total"
HISTORY_LINES = "dragoman_store_history_lines_total"


def run(options: Options, logs: pathlib.Path, rows: list[dict]):
    """Adds every row of every round, in the order in which they were measured. What was added stays when it fails, and
    the logs of what ran then are kept in that folder."""
    # Processes end before their folder goes.
    with tempfile.TemporaryDirectory(prefix="run-", dir=options.out, ignore_cleanup_errors=True) as folder:
        try:
            with Processes(options.boost) as processes:
                _rounds(options, pathlib.Path(folder), logs, rows, processes)
        except BaseException:
            keep_logs(pathlib.Path(folder), logs)
            raise


def _rounds(options: Options, folder: pathlib.Path, logs: pathlib.Path, rows: list[dict], processes: Processes):
    broker, port = mosquitto.start(folder, processes)
    for number in range(options.rounds):
        # The order turns with each round, so that what disturbs the machine falls on all.
        turn = number % len(options.names)
        names = options.names[turn:] + options.names[:turn]
        for qos in options.qos:
            devices = mosquitto.start_devices(port, qos, None, options, processes)
            for name in names:
                own = folder / f"{name}-qos-{qos}-round-{number}"
                own.mkdir()
                synced_ms = machine.fdatasync_p50_ms(own)
                place = Place(qos=qos, broker_port=port, folder=own)
                bench = Bench(name, number, place, broker, devices, options, processes)
                wrong = 0
                for row in bench.rows():
                    row["fdatasync_p50_ms"] = synced_ms
                    rows.append(row)
                    wrong += row["wrong"]
                if wrong:
                    keep_logs(own, logs)
                shutil.rmtree(own)
            processes.stop(devices)
    processes.stop(broker)


def keep_logs(folder: pathlib.Path, logs: pathlib.Path):
    """Copies the logs of targets out of a folder that goes."""
    for log in folder.rglob("*.log"):
        logs.mkdir(exist_ok=True)
        kept = logs / f"{log.parent.name}-{log.name}"
        shutil.copy(log, kept)
        print(f"log kept: {kept}", file=sys.stderr)


class Bench:
    """One target in one round."""

    def __init__(
        self,
        name: str,
        number: int,
        place: Place,
        broker: subprocess.Popen,
        devices: subprocess.Popen,
        options: Options,
        processes: Processes,
    ):
        self._name, self._number, self._place = name, number, place
        self._broker, self._devices = broker, devices
        self._options, self._processes = options, processes

    def rows(self):
        """Starts the target, measures every number of callers and every rate, and ends it. The last row is given after
        the end, with what ours kept of all of them."""
        start = gateway.start if self._name in OURS else peers.start
        serving = start(self._name, self._place, self._options, self._processes)
        devices = self._devices
        if serving.own_broker is not None:
            port, secret = serving.own_broker
            devices = mosquitto.start_devices(port, self._place.qos, secret, self._options, self._processes)
        pids = {"broker": self._broker.pid, "devices": devices.pid}
        if serving.process is not None:
            pids["gateway"] = serving.process.pid
        answered, last = 0, None
        for callers, rate in self._plan():
            if last is not None:
                yield last
            last = self._measure(serving, pids, callers, rate)
            answered += last["answered"]
            say(last)
            if last["wrong"]:
                self._say_log()
        if devices is not self._devices:
            self._processes.stop(devices)
        if serving.process is not None:
            self._processes.stop(serving.process)
        if serving.counters:
            last["history_kept"] = gateway.history_rows(self._place) / max(answered, 1)
        yield last

    def _say_log(self):
        """Shows the end of what the target wrote about itself."""
        for log in self._place.folder.glob("*.log"):
            for line in log.read_bytes()[-LOG_BYTES_SHOWN:].decode(errors="replace").splitlines()[1:]:
                print(f"    {log.name}: {line}", file=sys.stderr)

    def _plan(self):
        closed = [(callers, None) for callers in self._options.callers]
        return closed + [(self._options.rate_callers, rate) for rate in self._options.rates]

    def _measure(self, serving: Serving, pids: dict[str, int], callers: int, rate: float | None) -> dict:
        options, place = self._options, self._place
        command = [options.binaries / "loadgen", "--conns", callers, "--devices", options.devices, "--qos", place.qos]
        command += ["--secs", options.seconds, "--warm", options.warm_seconds]
        if self._name == MQTT_ONLY:
            command += ["--mode", "mqtt", "--broker-port", place.broker_port]
        else:
            command += ["--target", serving.address]
        for header in serving.headers:
            command += ["--header", header]
        if rate is not None:
            command += ["--rate", rate]
        for name, pid in pids.items():
            command += ["--pid", f"{name}={pid}"]
        load = os.getloadavg()[0]
        written = machine.written_bytes(pids["gateway"]) if "gateway" in pids else None
        before = serving.counters() if serving.counters else {}
        process = self._processes.start(command, stdout=subprocess.PIPE)
        printed = self._processes.finish(process, options.seconds + options.warm_seconds + PATIENCE_S)
        row = json.loads(printed)
        row |= {"target": self._name, "round": self._number, "qos": place.qos, "load_before": round(load, 2)}
        row["wrong"] = row["bad_status"] + row["mismatch"] + row["io"] + row["missing"]
        after = settled(serving.counters) if serving.counters else {}
        if written is not None:
            written = machine.written_bytes(pids["gateway"]) - written
            row["written_kib"] = written / 1024 / max(row["answered"], 1)
        if serving.counters:
            row["counted"] = per_command(before, after, row["answered"])
            row["plugin_faults"] = total(after, PLUGIN_FAULTS) - total(before, PLUGIN_FAULTS)
            row["steps"] = {step: went_well(row["counted"], step) for step in STEPS}
            row["plugin_calls"] = total(row["counted"], PLUGIN_CALLS)
            row["history_lines"] = total(row["counted"], HISTORY_LINES)
        return row


def settled(counters: Callable[[], dict[str, float]]) -> dict[str, float]:
    """The counters when the history no longer grows: a relaxed store writes a command's end after it was answered."""
    end = time.monotonic() + SETTLES_WITHIN_S
    now = counters()
    while time.monotonic() < end:
        time.sleep(SETTLED_AFTER_S)
        before, now = now, counters()
        if total(now, HISTORY_LINES) == total(before, HISTORY_LINES):
            break
    return now


def per_command(before: dict[str, float], after: dict[str, float], commands: int) -> dict[str, float]:
    """By how much each counter grew for each command."""
    grown = {name: value - before.get(name, 0.0) for name, value in after.items()}
    return {name: value / max(commands, 1) for name, value in grown.items() if value}


def total(counted: dict[str, float], name: str) -> float:
    """All series of that name, whatever their labels."""
    return sum(value for series, value in counted.items() if series.split("{")[0] == name)


def went_well(counted: dict[str, float], export: str) -> float:
    """Calls of that export of the plugin that did not fail."""
    labels = (f'export="{export}"', 'result="ok"')
    series = (name for name in counted if name.startswith(PLUGIN_CALLS + "{"))
    return sum(counted[name] for name in series if all(label in name for label in labels))


def say(row: dict):
    """One line for whoever watches."""
    load = f"{row['rate']:g}/s" if row["rate"] else "closed"
    us = row["us"]
    print(
        f"  round {row['round']} qos {row['qos']} {row['target']:26} {row['conns']:>4} callers {load:>7} "
        f"{row['per_s']:>7.0f}/s  p50 {us['p50'] / 1000:.2f}  p99 {us['p99'] / 1000:.2f} ms  "
        f"cpu {row['cpu_us_per_command'].get('gateway', 0):.0f} us  wrong {row['wrong']}  load {row['load_before']}"
        + "".join(f"  [{mark}]" for mark in summary.marks(row)),
        file=sys.stderr,
        flush=True,
    )
    for sample in row["bad_samples"]:
        print(f"    wrong: {sample}", file=sys.stderr)
