"""What is measured, by name, and where the devices are that each commands."""

import dataclasses
import pathlib
import subprocess
from collections.abc import Callable

# Floors first, then what people use or write in place of a gateway, then ours in four forms.
NATIVE = ("native", "native-wal", "native-wal2")
NODE = ("node-diy", "node-red")
# Broker and devices alone: the load generator speaks MQTT itself.
MQTT_ONLY = "mqtt-only"
MOSQUITTO = "dragoman-mosquitto"
MOSQUITTO_RELAXED = "dragoman-mosquitto-relaxed"
EMBEDDED = "dragoman-embedded"
EMBEDDED_RELAXED = "dragoman-embedded-relaxed"
OURS = (MOSQUITTO, MOSQUITTO_RELAXED, EMBEDDED, EMBEDDED_RELAXED)
# The calls of the plugin that every command must make: the application's request, the dispatch, the device's answer.
STEPS = ("northbound.handle-request", "southbound.dispatch", "southbound.handle-message")
ALL = (*NATIVE, *NODE, MQTT_ONLY, *OURS)


@dataclasses.dataclass(frozen=True)
class Place:
    """What a target is started with: QoS of the devices, the port of mosquitto, and a folder of its own on the disk that
    is measured."""

    qos: int
    broker_port: int
    folder: pathlib.Path


@dataclasses.dataclass
class Serving:
    """A target that serves. `process` is None for broker and devices alone."""

    process: subprocess.Popen | None
    # host:port of its HTTP API.
    address: str = ""
    # Header lines that every call carries.
    headers: tuple[str, ...] = ()
    # Reads what it counts of itself, by name; only ours counts.
    counters: Callable[[], dict[str, float]] | None = None
    # Where its devices are, if not at mosquitto: the port, and the secret with which they sign in.
    own_broker: tuple[int, str] | None = None
