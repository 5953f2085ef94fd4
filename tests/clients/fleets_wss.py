"""A thing of Fleets that speaks MQTT over WebSocket and TLS, once in version 3.1.1 and once in 5, with paho-mqtt.

Arguments: URL of the dialects' HTTP listener, port of the WebSocket listener, path, file with the authority, key, secret, name
of a thing, password of the thing. Exits 0 when each version was sent a command and its answer was heard.
"""

import json
import sys
import threading
import time

import paho.mqtt.client as mqtt
import requests

URL, PORT, PATH, CA, KEY, SECRET, THING, PASSWORD = sys.argv[1], int(sys.argv[2]), *sys.argv[3:9]
SOON_S = 15
COMMANDS = f"{URL}/api/v1/commands"
AUTH = (KEY, SECRET)


def connect_device(protocol):
    ready = threading.Event()
    client = mqtt.Client(
        mqtt.CallbackAPIVersion.VERSION2, client_id=THING, transport="websockets", protocol=protocol
    )

    def on_connect(client, userdata, flags, reason, properties):
        assert reason == 0, f"the broker refused the thing: {reason}"
        client.subscribe(f"$emqx/commands/things/{THING}/executions/+/request", qos=1)

    def on_message(client, userdata, message):
        request = json.loads(message.payload)
        answer = {"status": "SUCCEEDED", "result": {"text": request["params"]["text"]}}
        client.publish(message.topic[: -len("request")] + "response", json.dumps(answer), qos=1)

    client.on_connect = on_connect
    client.on_subscribe = lambda *_: ready.set()
    client.on_message = on_message
    client.username_pw_set(THING, PASSWORD)
    client.ws_set_options(path=PATH)
    client.tls_set(ca_certs=CA)
    client.connect("localhost", PORT)
    client.loop_start()
    assert ready.wait(SOON_S), "the thing is not subscribed"
    return client


def ended(execution):
    end = time.monotonic() + SOON_S
    while time.monotonic() < end:
        answer = requests.get(f"{COMMANDS}/{execution}", auth=AUTH, verify=CA, timeout=SOON_S)
        assert answer.status_code == 200, (answer.status_code, answer.text)
        if answer.json()["status"] != "SENT":
            return answer.json()
        time.sleep(0.02)
    raise AssertionError(f"{execution} is still SENT")


def main():
    for protocol in (mqtt.MQTTv311, mqtt.MQTTv5):
        device = connect_device(protocol)
        # Longer than a chunk of anything on its way.
        text = "x" * 50_000
        body = {"thingId": THING, "action": "echo", "params": {"text": text}, "ttl": 30}
        answer = requests.post(COMMANDS, auth=AUTH, json=body, verify=CA, timeout=SOON_S)
        assert answer.status_code == 201, (answer.status_code, answer.text)
        found = ended(answer.json()["executionId"])
        assert found["status"] == "SUCCEEDED" and found["result"] == {"text": text}, found["status"]
        device.disconnect()
        device.loop_stop()
    print("commands and answers went over wss in both versions")


main()
