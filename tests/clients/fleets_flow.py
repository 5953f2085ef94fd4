"""The flow of the platform's page "Send Commands", with requests and paho-mqtt, and the filters of its list.

Arguments: URL of the dialects' HTTP listener, port of the broker, key, secret, name of a thing, password of the thing.
Exits 0 when every step looks as that page says.
"""

import json
import sys
import threading
import time

import paho.mqtt.client as mqtt
import requests

URL, PORT, KEY, SECRET, THING, PASSWORD = sys.argv[1], int(sys.argv[2]), *sys.argv[3:7]
SOON_S = 15
COMMANDS = f"{URL}/api/v1/commands"
AUTH = (KEY, SECRET)


def connect_device(received):
    """A thing that sets its temperature and rejects everything else."""
    ready = threading.Event()
    client = mqtt.Client(
        mqtt.CallbackAPIVersion.VERSION2, client_id=THING, clean_session=False, protocol=mqtt.MQTTv311
    )

    def on_connect(client, userdata, flags, reason, properties):
        assert reason == 0, f"the broker refused the thing: {reason}"
        client.subscribe(f"$emqx/commands/things/{THING}/executions/+/request", qos=1)

    def on_message(client, userdata, message):
        parts = message.topic.split("/")
        request = json.loads(message.payload)
        received.append((parts[5], request))
        if request["action"] == "ignore":
            return
        answer = {"status": "REJECTED", "result": {"why": "unknown action"}}
        if request["action"] == "setTemperature":
            answer = {"status": "SUCCEEDED", "result": {"currentTemperature": request["params"]["value"]}}
        client.publish("/".join(parts[:-1] + ["response"]), json.dumps(answer), qos=1)

    client.on_connect = on_connect
    client.on_subscribe = lambda *_: ready.set()
    client.on_message = on_message
    client.username_pw_set(THING, PASSWORD)
    client.connect("127.0.0.1", PORT)
    client.loop_start()
    assert ready.wait(SOON_S), "the thing is not subscribed"
    return client


def send(action, params=None, ttl=None):
    body = {"thingId": THING, "action": action}
    if params is not None:
        body["params"] = params
    if ttl is not None:
        body["ttl"] = ttl
    answer = requests.post(COMMANDS, auth=AUTH, json=body, timeout=SOON_S)
    assert answer.status_code == 201, (answer.status_code, answer.text)
    return answer.json()["executionId"]


def get(execution):
    answer = requests.get(f"{COMMANDS}/{execution}", auth=AUTH, timeout=SOON_S)
    assert answer.status_code == 200, (answer.status_code, answer.text)
    return answer.json()


def ended(execution):
    end = time.monotonic() + SOON_S
    while time.monotonic() < end:
        found = get(execution)
        if found["status"] != "SENT":
            return found
        time.sleep(0.02)
    raise AssertionError(f"{execution} is still SENT")


def listed(**filters):
    answer = requests.get(COMMANDS, auth=AUTH, params=filters, timeout=SOON_S)
    assert answer.status_code == 200, (answer.status_code, answer.text)
    return {item["executionId"] for item in answer.json()["data"]}


def main():
    assert requests.get(COMMANDS, timeout=SOON_S).status_code == 401
    assert requests.get(COMMANDS, auth=(KEY, "wrong"), timeout=SOON_S).status_code == 401

    # "Commands sent to an offline device will time out."
    absent = send("setTemperature", {"value": 5}, ttl=1)
    assert get(absent)["status"] == "SENT"
    assert ended(absent)["status"] == "TIMED_OUT"

    received = []
    device = connect_device(received)
    done = send("setTemperature", {"value": 24}, ttl=30)
    found = ended(done)
    assert found["status"] == "SUCCEEDED" and found["result"] == {"currentTemperature": 24}, found
    execution, request = received[0]
    assert execution == done, "the command that expired while the thing was away must not reach it"
    assert request["action"] == "setTemperature" and request["params"] == {"value": 24}, request
    assert isinstance(request["timestamp"], int) and 0 < request["ttl"] <= 30 and request["commandId"], request

    # Parameters are optional; arbitrary actions may be sent.
    rejected = send("unlock")
    assert ended(rejected)["status"] == "REJECTED"
    assert received[1][1]["params"] == {}, received[1]

    ignored = send("ignore", ttl=1)
    assert ended(ignored)["status"] == "TIMED_OUT"
    waiting = send("ignore", ttl=60)

    assert listed() == {absent, done, rejected, ignored, waiting}
    assert listed(thingId=THING) == listed()
    assert listed(thingId="nobody") == set()
    assert listed(action="setTemperature") == {absent, done}
    assert listed(status="TIMED_OUT") == {absent, ignored}
    assert listed(status="SENT") == {waiting}
    assert listed(status="SUCCEEDED", action="setTemperature", thingId=THING) == {done}
    assert listed(status="FAILED") == set()
    device.disconnect()
    device.loop_stop()
    print("sent, answered, rejected, timed out and listed as the platform's page says")


main()
