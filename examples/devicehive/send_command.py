"""Inserts a command the way an application of DeviceHive does over MQTT, and prints its update.

    send_command.py DEVICE COMMAND [PARAMETERS]      PARAMETERS is JSON

DRAGOMAN_MQTT names another address than 127.0.0.1:1883.
"""

import json
import os
import sys

import paho.mqtt.client as mqtt

HOST, PORT = os.environ.get("DRAGOMAN_MQTT", "127.0.0.1:1883").rsplit(":", 1)
LOGIN, PASSWORD = "example", "devicehive-example-password"
CLIENT = f"example-{os.getpid()}"
ANSWER, UPDATES = f"dh/response/command/insert@{CLIENT}", "dh/command_update/#"


def main():
    device, command = sys.argv[1:3]
    parameters = json.loads(sys.argv[3]) if len(sys.argv) > 3 else None
    insert = {"action": "command/insert", "requestId": 1, "deviceId": device,
              "command": {"command": command, "parameters": parameters, "lifetime": 30}}
    answers, updates = [], {}

    def on_connect(client, _data, _flags, reason, _properties):
        if reason != 0:
            sys.exit(f"the gateway refuses {LOGIN}: {reason}")
        client.subscribe([(ANSWER, 1), (UPDATES, 1)])

    def on_subscribe(client, *_):
        client.publish("dh/request", json.dumps(insert))

    def on_message(client, _data, message):
        body = json.loads(message.payload)
        if message.topic == ANSWER:
            print(json.dumps(body))
            answers.append(body)
        elif body["action"] == "command/update":
            updates[body["command"]["id"]] = body["command"]
        refused = bool(answers) and answers[0]["status"] != "success"
        if refused or (answers and answers[0]["command"]["id"] in updates):
            client.disconnect()

    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=CLIENT)
    client.username_pw_set(LOGIN, PASSWORD)
    client.on_connect, client.on_subscribe, client.on_message = on_connect, on_subscribe, on_message
    client.connect(HOST, int(PORT))
    client.loop_forever()
    update = updates.get(answers[0].get("command", {}).get("id")) if answers else None
    print(json.dumps(update))
    sys.exit(0 if update and update.get("status") == "success" else 1)


main()
