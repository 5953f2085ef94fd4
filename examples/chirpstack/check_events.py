"""Reads events from the standard input, a line each: their kind, a blank and their JSON. Fails unless each is what the
platform's own message class reads, and has every member that the platform writes."""

import json
import sys

import events


def missing(found, whole, path):
    """Members that the platform writes and the event does not have."""
    for name, value in whole.items():
        if name not in found:
            yield f"{path}{name}"
        elif isinstance(value, dict) and isinstance(found[name], dict):
            yield from missing(found[name], value, f"{path}{name}.")


def main():
    seen = set()
    for line in sys.stdin:
        kind, body = line.split(" ", 1)
        whole = json.loads(events.to_json(events.read_event(kind, body)))
        # What is not of the integration itself, below rxInfo and txInfo, is written without default values.
        whole = {name: value for name, value in whole.items() if name not in ("rxInfo", "txInfo")}
        lacks = list(missing(json.loads(body), whole, ""))
        if lacks:
            sys.exit(f"an event {kind} lacks {lacks}: {body}")
        seen.add(kind)
    print(" ".join(sorted(seen)))


main()
