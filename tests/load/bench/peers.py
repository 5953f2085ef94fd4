"""The others: native gateways as a floor, Node-RED, and what a team writes for itself in Node."""

import os
import subprocess
import time

from bench.options import Options
from bench.processes import BenchError, Processes, free_port, until_answering
from bench.targets import MQTT_ONLY, NATIVE, NODE, Place, Serving

# Node-RED answers HTTP before its connection to the broker is up.
NODE_RED_SETTLES_S = 3.0
SETTLES_S = 0.5
# How many durable records a native gateway makes of a command: before it publishes, before it answers.
DURABLE_RECORDS = {"native": 0, "native-wal": 1, "native-wal2": 2}


def start(name: str, place: Place, options: Options, processes: Processes) -> Serving:
    """Starts one of them and waits until it serves."""
    if name == MQTT_ONLY:
        return Serving(process=None)
    port = free_port()
    if name in NATIVE:
        process = processes.start(_native(name, port, place, options))
        _wait(process, port, "/healthz", SETTLES_S)
    elif name in NODE:
        process = _node(name, port, place, options, processes)
    else:
        raise BenchError(f"nobody knows how to start {name}")
    return Serving(process=process, address=f"127.0.0.1:{port}")


def _native(name: str, port: int, place: Place, options: Options) -> list:
    command = [options.binaries / "native-baseline", "--port", place.broker_port, "--http", port, "--qos", place.qos]
    # As many as the gateway has, which takes one for each processor.
    command += ["--workers", os.cpu_count() or 1]
    if DURABLE_RECORDS[name]:
        command += ["--wal", place.folder / "commands.wal", "--syncs", DURABLE_RECORDS[name]]
    return command


def _node(name: str, port: int, place: Place, options: Options, processes: Processes) -> subprocess.Popen:
    env = {
        "PATH": os.environ.get("PATH", ""),
        "PORT": str(port),
        "QOS": str(place.qos),
        "BROKER_PORT": str(place.broker_port),
        "USER_DIR": str(place.folder),
        "NODE_ENV": "production",
    }
    quiet = {"env": env, "stdout": subprocess.DEVNULL}
    if name == "node-diy":
        process = processes.start(["node", options.peers / "node-diy.js"], **quiet)
        _wait(process, port, "/healthz", SETTLES_S)
        return process
    processes.finish(processes.start(["node", options.peers / "make-flow.js"], **quiet), 30)
    red = options.peers / "node_modules/node-red/red.js"
    process = processes.start(["node", red, "-s", options.peers / "settings.js"], **quiet)
    _wait(process, port, "/v5/iot/p/devices/none/ping", NODE_RED_SETTLES_S)
    return process


def _wait(process: subprocess.Popen, port: int, path: str, settles_s: float):
    until_answering(process, f"http://127.0.0.1:{port}{path}")
    time.sleep(settles_s)
