"""Round after round: each target alone on the machine with the broker and the devices, each row measured alike."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

from bench import gateway, machine, mosquitto, peers
from bench.options import Options
from bench.processes import Processes
from bench.targets import MQTT_ONLY, OURS, Place, Serving

# Beyond what it measures, a load generator may wait this long for the calls that are under way.
PATIENCE_S = 60
# Of a target's log, what is shown when an answer was wrong.
LOG_BYTES_SHOWN = 4096
PLUGIN_CALLS = "dragoman_plugin_calls_total"
HISTORY_LINES = "dragoman_store_history_lines_total"


def run(options: Options, rows: list[dict]):
    """Adds every row of every round, in the order in which they were measured. What was added stays when it fails."""
    with Processes(options.boost) as processes, tempfile.TemporaryDirectory(prefix="run-", dir=options.out) as folder:
        folder = pathlib.Path(folder)
        broker, port = mosquitto.start(folder, processes)
        for number in range(options.rounds):
            # The order turns with each round, so that what disturbs the machine falls on all.
            turn = number % len(options.names)
            names = options.names[turn:] + options.names[:turn]
            for qos in options.qos:
                synced_ms = machine.fdatasync_p50_ms(folder)
                devices = mosquitto.start_devices(port, qos, None, options, processes)
                for name in names:
                    with tempfile.TemporaryDirectory(prefix=f"{name}-", dir=folder) as own:
                        place = Place(qos=qos, broker_port=port, folder=pathlib.Path(own))
                        bench = Bench(name, number, place, broker, devices, options, processes)
                        for row in bench.rows():
                            row["fdatasync_p50_ms"] = synced_ms
                            rows.append(row)
                processes.stop(devices)


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
        """Starts the target, measures every number of callers and every rate, and ends it."""
        start = gateway.start if self._name in OURS else peers.start
        serving = start(self._name, self._place, self._options, self._processes)
        devices = self._devices
        if serving.own_broker is not None:
            port, secret = serving.own_broker
            devices = mosquitto.start_devices(port, self._place.qos, secret, self._options, self._processes)
        pids = {"broker": self._broker.pid, "devices": devices.pid}
        if serving.process is not None:
            pids["gateway"] = serving.process.pid
        for callers, rate in self._plan():
            row = self._measure(serving, pids, callers, rate)
            say(row)
            if row["wrong"]:
                self._say_log()
            yield row
        if devices is not self._devices:
            self._processes.stop(devices)
        if serving.process is not None:
            self._processes.stop(serving.process)

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
        before = serving.counters() if serving.counters else {}
        process = self._processes.start(command, stdout=subprocess.PIPE)
        printed = self._processes.finish(process, options.seconds + options.warm_seconds + PATIENCE_S)
        row = json.loads(printed)
        row |= {"target": self._name, "round": self._number, "qos": place.qos, "load_before": round(load, 2)}
        row["wrong"] = row["bad_status"] + row["mismatch"] + row["io"]
        if serving.counters:
            row["counted"] = per_command(before, serving.counters(), row["answered"])
            row["plugin_calls"] = total(row["counted"], PLUGIN_CALLS)
            row["history_lines"] = total(row["counted"], HISTORY_LINES)
        return row


def per_command(before: dict[str, float], after: dict[str, float], commands: int) -> dict[str, float]:
    """By how much each counter grew for each command."""
    grown = {name: value - before.get(name, 0.0) for name, value in after.items()}
    return {name: value / max(commands, 1) for name, value in grown.items() if value}


def total(counted: dict[str, float], name: str) -> float:
    """All series of that name, whatever their labels."""
    return sum(value for series, value in counted.items() if series.split("{")[0] == name)


def say(row: dict):
    """One line for whoever watches."""
    load = f"{row['rate']:g}/s" if row["rate"] else "closed"
    us = row["us"]
    print(
        f"  round {row['round']} qos {row['qos']} {row['target']:26} {row['conns']:>4} callers {load:>7} "
        f"{row['per_s']:>7.0f}/s  p50 {us['p50'] / 1000:.2f}  p99 {us['p99'] / 1000:.2f} ms  "
        f"cpu {row['cpu_us_per_command'].get('gateway', 0):.0f} us  wrong {row['wrong']}  load {row['load_before']}",
        file=sys.stderr,
        flush=True,
    )
    for sample in row["bad_samples"]:
        print(f"    wrong: {sample}", file=sys.stderr)
