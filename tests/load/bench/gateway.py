"""Dragoman, set up as an operator does it: a configuration file, devices imported, a token for the application."""

import json
import os
import pathlib
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
import urllib.request

from bench.options import Options
from bench.processes import BenchError, Processes
from bench.targets import EMBEDDED, EMBEDDED_RELAXED, MOSQUITTO_RELAXED, Place, Serving

# The dialect of devices and application.
DIALECT = "huawei-iotda"
TOKEN = "token-of-the-bench"
DEVICE_SECRET = "secret-of-the-bench"
# The first start compiles the plugin.
READY_WITHIN_S = 120


def start(name: str, place: Place, options: Options, processes: Processes) -> Serving:
    """Starts one of its forms with an empty store and waits until it can be called."""
    embedded = name in (EMBEDDED, EMBEDDED_RELAXED)
    durability = "relaxed" if name in (MOSQUITTO_RELAXED, EMBEDDED_RELAXED) else "committed"
    plugins = place.folder / "plugins"
    plugins.mkdir()
    shutil.copy(options.plugins / f"{DIALECT}.wasm", plugins)
    config = place.folder / "dragoman.toml"
    config.write_text(_configuration(place, durability, embedded))
    log = (place.folder / "daemon.log").open("wb")
    binary = options.binaries / "dragoman"
    process = processes.start([binary, "serve", "--config", config], stdout=subprocess.PIPE, stderr=log)
    ready = _ready(process, place.folder / "daemon.log")
    operator = Operator(binary, ready["admin"], place.folder / "data/admin.token")
    operator.register(options.devices, place.folder)
    return Serving(
        process=process,
        address=ready["http"],
        headers=(f"x-auth-token: {TOKEN}",),
        counters=operator.counters,
        own_broker=(int(ready["mqtt"].rsplit(":", 1)[1]), DEVICE_SECRET) if embedded else None,
    )


def history_rows(place: Place) -> int:
    """How many rows of history are in the store. The gateway must have ended, so that nothing is under way."""
    database = (place.folder / "data/dragoman.sqlite").resolve()
    store = sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)
    try:
        return store.execute("SELECT count(*) FROM transition").fetchone()[0]
    except sqlite3.Error as error:
        raise BenchError(f"the history in {database} cannot be counted: {error}") from error
    finally:
        store.close()


def _configuration(place: Place, durability: str, embedded: bool) -> str:
    """What differs from the defaults of dragoman.example.toml, and nothing else."""
    lines = [
        'data_dir = "data"',
        "[http]",
        'listen = "127.0.0.1:0"',
        "[mqtt]",
        'listen = "127.0.0.1:0"',
        f'dialects = ["{DIALECT}"]',
        "[admin]",
        'listen = "127.0.0.1:0"',
        "[plugins]",
        'folder = "plugins"',
        'grants = ["devices", "executions", "outbox", "events", "credentials"]',
        f"[plugin.{DIALECT}]",
        'instances = "pool"',
        "pool_size = 16",
        f"[plugin.{DIALECT}.settings]",
        f"downlink-qos = {place.qos}",
        "[store]",
        f'durability = "{durability}"',
        "[log]",
        'filter = "warn"',
    ]
    if not embedded:
        lines += [
            "[brokers.bench]",
            f'url = "mqtt://127.0.0.1:{place.broker_port}"',
            f'dialect = "{DIALECT}"',
            # Its session ends with it, or the broker would hold for it what the other targets' devices answer.
            'session_expiry_s = 0',
            'device_alias = "huawei.id"',
            'topics = ["$oc/devices/{device}/sys/commands/response/+"]',
        ]
    return "\n".join(lines) + "\n"


def _ready(process: subprocess.Popen, log: pathlib.Path) -> dict[str, str]:
    """The line in which the daemon says where it listens. What else it prints is read away, so that it never stops."""
    found: list[dict[str, str]] = []
    told = threading.Event()

    def read():
        for line in process.stdout:
            try:
                event = json.loads(line)
            except ValueError:
                # No event, but whoever watches may know what it means; the reading must go on.
                print(f"the gateway printed: {line!r}", file=sys.stderr)
                continue
            if event.get("event") == "ready":
                found.append(event)
                told.set()
        told.set()

    threading.Thread(target=read, daemon=True).start()
    if not told.wait(READY_WITHIN_S) or not found:
        raise BenchError(f"the gateway was not ready within {READY_WITHIN_S} s; its log:\n{log.read_text()[-4000:]}")
    return found[0]


class Operator:
    """The command line and the metrics of one daemon."""

    def __init__(self, binary: pathlib.Path, admin: str, token_file: pathlib.Path):
        self._binary = binary
        self._admin = f"http://{admin}"
        self._token = token_file.read_text().strip()

    def register(self, devices: int, folder: pathlib.Path):
        """Imports the devices and makes the token of the application."""
        lines = folder / "devices.ndjson"
        lines.write_text("".join(json.dumps(_device(f"dev-{number}")) + "\n" for number in range(devices)))
        self._run("device", "import", lines)
        secret = folder / "token"
        secret.write_text(TOKEN)
        rights = json.dumps({"projects": "*"})
        self._run("token", "create", "--dialect", DIALECT, "--account", "bench", "--rights", rights, "--secret-file", secret)

    def counters(self) -> dict[str, float]:
        """Every counter with its labels; histograms as their sum and count."""
        request = urllib.request.Request(f"{self._admin}/metrics", headers={"authorization": f"Bearer {self._token}"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read().decode()
        samples = re.findall(r"^([a-z_]+(?:\{[^}]*\})?) (\S+)$", text, re.MULTILINE)
        return {name: float(value) for name, value in samples if "quantile=" not in name and "_bucket{" not in name}

    def _run(self, *arguments):
        command = [str(part) for part in (self._binary, *arguments)]
        env = {"PATH": os.environ.get("PATH", ""), "DRAGOMAN_ADMIN": self._admin, "DRAGOMAN_ADMIN_TOKEN": self._token}
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise BenchError(f"dragoman {arguments[0]} {arguments[1]} failed: {done.stdout}{done.stderr}")


def _device(device: str) -> dict:
    # A key, because the device's password is an HMAC of it.
    credential = {"kind": "key", "secret": DEVICE_SECRET}
    return {"id": device, "dialect": DIALECT, "aliases": {"huawei.id": device}, "credential": credential}
