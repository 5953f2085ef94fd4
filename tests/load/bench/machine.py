"""What the figures were taken on."""

import os
import pathlib
import platform
import statistics
import subprocess
import time

# Appends of the probe, each as large as a small record.
SYNCS = 50
RECORD_BYTES = 512


def fdatasync_p50_ms(folder: pathlib.Path) -> float:
    """What one durable append costs now, on the disk under the logs of the targets. Durable rows mean little without it."""
    took = []
    path = folder / "sync-probe"
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        for _ in range(SYNCS):
            os.write(file, b"x" * RECORD_BYTES)
            begin = time.perf_counter()
            os.fdatasync(file)
            took.append(time.perf_counter() - begin)
    finally:
        os.close(file)
        path.unlink()
    return statistics.median(took) * 1000


def written_bytes(pid: int) -> int:
    """What a process has had written to disks so far (proc(5), `write_bytes`)."""
    return int(_field(f"/proc/{pid}/io", "write_bytes"))


def facts() -> dict[str, str]:
    """Processor, memory, system and versions, by name."""
    return {
        "processor": f"{_field('/proc/cpuinfo', 'model name')}, {os.cpu_count()} cores",
        "memory": f"{int(_field('/proc/meminfo', 'MemTotal').split()[0]) / 1024**2:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "rustc": _says("rustc", "--version").removeprefix("rustc "),
        "node": _says("node", "--version"),
        "mosquitto": _says(mosquitto(), "-h").removeprefix("mosquitto version "),
    }


def mosquitto() -> str:
    """The broker's program: where Debian puts it, which is not in everybody's path, or in the path."""
    debian = pathlib.Path("/usr/sbin/mosquitto")
    return str(debian) if debian.exists() else "mosquitto"


def _field(file: str, name: str) -> str:
    for line in pathlib.Path(file).read_text().splitlines():
        if line.startswith(name):
            return line.split(":", 1)[1].strip()
    return "0"


def _says(*command: str) -> str:
    try:
        printed = subprocess.run(command, capture_output=True, text=True).stdout
    except OSError:
        return "not there"
    return printed.splitlines()[0] if printed else "?"
