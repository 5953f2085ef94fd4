"""Writes a property of a device the way an application of Connio does, and waits until the device confirms it.

    write_property.py DEVICE PROPERTY VALUE      VALUE is JSON

DRAGOMAN_HTTP names another address than http://127.0.0.1:8080.
"""

import json
import os
import sys
import time

import requests

DEVICES = os.environ.get("DRAGOMAN_HTTP", "http://127.0.0.1:8080") + "/v3/data/devices"
KEY = ("_key_example", "connio-example-secret")
WITHIN_S = 10


def main():
    device, name, value = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    url = f"{DEVICES}/{device}/properties/{name}"
    answer = requests.post(url, auth=KEY, json={"dps": [{"v": value}]}, timeout=10)
    answer.raise_for_status()
    print("receipt", json.dumps(answer.json()))
    # The receipt says that the value is stored. What the device made of it, it tells in a property of its own.
    end = time.monotonic() + WITHIN_S
    while time.monotonic() < end:
        shown = requests.get(f"{DEVICES}/{device}", auth=KEY, timeout=10).json()
        if shown.get("result") == "ok" and shown.get(name) == value:
            print(json.dumps(shown))
            return
        time.sleep(0.1)
    sys.exit(f"the device did not confirm {name}: {json.dumps(shown)}")


main()
