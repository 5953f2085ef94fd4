"""Pushes a downlink to a device the way an application of The Things Stack does, and prints what is told of it.

    send_downlink.py DEVICE OBJECT      OBJECT is what the device's handler makes bytes of, JSON

DRAGOMAN_MQTT names another address than 127.0.0.1:1883.
"""

import json
import os
import sys
import uuid

import paho.mqtt.client as mqtt

HOST, PORT = os.environ.get("DRAGOMAN_MQTT", "127.0.0.1:1883").rsplit(":", 1)
APPLICATION, API_KEY = "app1", "tts-example-key"
WITHIN_S = 60


def main():
    device, decoded = sys.argv[1], json.loads(sys.argv[2])
    correlation = f"example:{uuid.uuid4()}"
    prefix = f"v3/{APPLICATION}/devices/{device}/down/"
    downlink = {"decoded_payload": decoded, "confirmed": True, "correlation_ids": [correlation]}
    told = []

    def on_connect(client, _data, _flags, reason, _properties):
        if reason != 0:
            sys.exit(f"the gateway refuses {APPLICATION}: {reason}")
        client.subscribe("#")

    def on_subscribe(client, *_):
        client.publish(prefix + "push", json.dumps({"downlinks": [downlink]}))

    def on_message(client, _data, message):
        body = json.loads(message.payload)
        kind = message.topic.removeprefix(prefix)
        if correlation in body.get("correlation_ids", []) and kind in ("queued", "sent", "ack", "nack", "failed"):
            print(message.topic, json.dumps(body))
            told.append(kind)
            if kind in ("ack", "failed"):
                client.disconnect()

    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=f"example-{os.getpid()}")
    client.username_pw_set(APPLICATION, API_KEY)
    client.on_connect, client.on_subscribe, client.on_message = on_connect, on_subscribe, on_message
    client.connect(HOST, int(PORT), keepalive=WITHIN_S)
    client.loop_forever()
    sys.exit(0 if told[-1:] == ["ack"] else 1)


main()
