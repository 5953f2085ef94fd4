"""Sends a command to a thing the way an application of EMQX Fleets does, and follows it to its end.

    send_command.py THING ACTION [PARAMS]      PARAMS is a JSON object

DRAGOMAN_HTTP names another address than http://127.0.0.1:8080.
"""

import json
import os
import sys
import time

import requests

COMMANDS = os.environ.get("DRAGOMAN_HTTP", "http://127.0.0.1:8080") + "/api/v1/commands"
KEY = ("ak_example", "fleets-example-secret")


def main():
    thing, action = sys.argv[1:3]
    params = json.loads(sys.argv[3]) if len(sys.argv) > 3 else {}
    command = {"thingId": thing, "action": action, "params": params, "ttl": 10}
    accepted = requests.post(COMMANDS, auth=KEY, json=command, timeout=10)
    accepted.raise_for_status()
    execution = accepted.json()
    while execution["status"] == "SENT":
        time.sleep(0.1)
        execution = requests.get(f"{COMMANDS}/{execution['executionId']}", auth=KEY, timeout=10).json()
    print(json.dumps(execution, indent=2))
    sys.exit(0 if execution["status"] == "SUCCEEDED" else 1)


main()
