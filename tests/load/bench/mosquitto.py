"""The broker that everybody shares, and the devices."""

import pathlib
import select
import subprocess

from bench import machine
from bench.options import Options
from bench.processes import BenchError, Processes, free_port, until_listening

# How long the devices may take to connect and subscribe.
SUBSCRIBED_WITHIN_S = 60

# Its defaults but for: loopback, TCP_NODELAY (without it every QoS 1 hop waits 40 ms for a delayed acknowledgement), and
# no bound on what is under way, which would be measured in place of the gateways. That is 65 535 and not 0, with which
# mosquitto 2.0.11 forgets the bound that a client of MQTT 5 asks for, and sends ours more than it takes.
CONFIGURATION = """\
listener {port} 127.0.0.1
allow_anonymous true
persistence false
set_tcp_nodelay true
max_inflight_messages 65535
max_queued_messages 0
log_type error
log_type warning
"""


def start(folder: pathlib.Path, processes: Processes) -> tuple[subprocess.Popen, int]:
    """Starts mosquitto. Gives the process and its port."""
    port = free_port()
    file = folder / "mosquitto.conf"
    file.write_text(CONFIGURATION.format(port=port))
    process = processes.start([machine.mosquitto(), "-c", file], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until_listening(process, port)
    return process, port


def start_devices(
    port: int, qos: int, secret: str | None, options: Options, processes: Processes
) -> subprocess.Popen:
    """Connects every device to a broker and waits until all are subscribed."""
    command = [options.binaries / "device-sim", "--port", port, "--devices", options.devices, "--qos", qos]
    if secret is not None:
        command += ["--secret", secret]
    process = processes.start(command, stdout=subprocess.PIPE)
    # It prints one line, when the last device is subscribed.
    if not select.select([process.stdout], [], [], SUBSCRIBED_WITHIN_S)[0]:
        raise BenchError(f"not all devices were subscribed within {SUBSCRIBED_WITHIN_S} s; their words are above")
    if not process.stdout.readline().startswith(b"ready"):
        raise BenchError("the devices ended before all of them were subscribed; their words are above")
    return process
