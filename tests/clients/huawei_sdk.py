"""IoTDA with the platform's own Python SDK, unpatched, against a device of paho-mqtt that never subscribes.

Arguments: URL of the dialects' HTTP listener, port of the broker, application token, device id, device secret.
Exits 0 when an answer, a refusal, an offline device and a time-out each look as they do on the platform.
"""

import hashlib
import hmac
import json
import queue
import sys
import threading
import time
from datetime import datetime, timezone

import paho.mqtt.client as mqtt
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkiotda.v5 import CreateCommandRequest, DeviceCommandRequest, IoTDAClient

URL, PORT, TOKEN, DEVICE, SECRET = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4], sys.argv[5]
SOON_S = 15


class Device:
    """Signs in as the platform's device SDKs do, never subscribes, and answers with what it was told to."""

    def __init__(self):
        self.answers = queue.Queue()
        self.received = []
        self.connected = threading.Event()
        hour = datetime.now(timezone.utc).strftime("%Y%m%d%H")
        self.client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, client_id=f"{DEVICE}_0_1_{hour}", protocol=mqtt.MQTTv311
        )
        self.client.username_pw_set(DEVICE, hmac.new(hour.encode(), SECRET.encode(), hashlib.sha256).hexdigest())
        self.client.on_connect = self.on_connect
        self.client.on_message = self.on_message

    def on_connect(self, client, userdata, flags, reason, properties):
        assert reason == 0, f"the broker refused the device: {reason}"
        self.connected.set()

    def on_message(self, client, userdata, message):
        self.received.append((message.topic, json.loads(message.payload)))
        try:
            answer = self.answers.get_nowait()
        except queue.Empty:
            return
        topic = message.topic.replace("/sys/commands/", "/sys/commands/response/")
        client.publish(topic, json.dumps(answer), qos=1)

    def connect(self):
        self.client.connect("127.0.0.1", PORT, keepalive=120)
        self.client.loop_start()
        assert self.connected.wait(SOON_S), "the device is not connected"

    def disconnect(self):
        self.client.disconnect()
        self.client.loop_stop()


def send(client, name, paras):
    body = DeviceCommandRequest(service_id="WaterMeter", command_name=name, paras=paras)
    invoker = client.create_command_invoker(CreateCommandRequest(device_id=DEVICE, body=body))
    return invoker.add_header("X-Auth-Token", TOKEN).invoke()


def main():
    # The SDK signs with these as well; the gateway looks at the token.
    credentials = BasicCredentials("ak", "sk", "project")
    client = IoTDAClient.new_builder().with_credentials(credentials).with_endpoint(URL).build()
    device = Device()

    try:
        send(client, "ON_OFF", {"value": "ON"})
        raise AssertionError("a command to a device that is not connected must be refused")
    except ClientRequestException as offline:
        assert (offline.status_code, offline.error_code) == (403, "IOTDA.014016"), offline
        assert offline.error_msg == "Operation not allowed. The device is not online.", offline
        assert offline.request_id, "no X-Request-Id"

    device.connect()
    device.answers.put({"result_code": 0, "response_name": "COMMAND_RESPONSE", "paras": {"result": "success"}})
    answer = send(client, "ON_OFF", {"value": "ON"})
    assert answer.status_code == 200 and answer.command_id, answer
    assert answer.response["result_code"] == 0, answer
    assert answer.response["paras"] == {"result": "success"}, answer
    topic, request = device.received[0]
    assert topic.startswith(f"$oc/devices/{DEVICE}/sys/commands/request_id="), topic
    assert request["object_device_id"] == DEVICE, request
    assert (request["service_id"], request["command_name"]) == ("WaterMeter", "ON_OFF"), request
    assert request["paras"] == {"value": "ON"}, request

    device.answers.put({"result_code": 7, "response_name": "COMMAND_RESPONSE", "paras": {"why": "jammed"}})
    refused = send(client, "ON_OFF", {"value": "OFF"})
    assert refused.status_code == 200 and refused.response["result_code"] == 7, refused
    assert refused.response["paras"] == {"why": "jammed"}, refused

    begin = time.monotonic()
    silent = send(client, "ON_OFF", {"value": "OFF"})
    waited = time.monotonic() - begin
    assert (silent.status_code, silent.error_code) == (200, "IOTDA.014111"), silent
    assert silent.error_msg.startswith("Command request timed out."), silent
    assert waited >= 19, f"the platform waits 20 s, this was {waited:.1f} s"
    assert len(device.received) == 3, f"each command reaches the device once: {device.received}"
    device.disconnect()
    print("answer, refusal, offline and time-out as on the platform")


main()
