"""A ChirpStack network server with one LoRaWAN lamp of class A. Its JSON is made by the platform's own message classes.

    network.py      runs until it is ended; prints a line for what it hears and tells

DRAGOMAN_MQTT names another address than 127.0.0.1:1883.
"""

import collections
import datetime
import os
import sys
import time
import uuid

import events
import paho.mqtt.client as mqtt
from chirpstack_api import gw, integration

HOST, PORT = os.environ.get("DRAGOMAN_MQTT", "127.0.0.1:1883").rsplit(":", 1)
USER, PASSWORD = "network-1", "network-secret"
APPLICATION, DEV_EUI = "ca739e26-7b67-4f14-b69e-d568c22a5a75", "4200000000000000"
RADIO_GATEWAY = "0242020000247803"
UPLINK_EVERY_S = 1.0
COMMAND_PORT, REPORT_PORT = 10, 11


class Lamp:
    """What the lamp remembers: items of a tag and a value, as plugins/lora-lamp documents them."""

    def __init__(self):
        self.switch, self.level = 0, 0

    def hear(self, port, data):
        if port != COMMAND_PORT:
            return
        for tag, value in zip(data[::2], data[1::2]):
            if tag == 1:
                self.switch = value
            elif tag == 2:
                self.level = value
        say(f"the lamp has switch {self.switch}, level {self.level}")

    def report(self):
        return bytes([1, self.switch, 2, self.level, 3, 0, 215])


class Network:
    def __init__(self, client):
        self.client, self.lamp = client, Lamp()
        self.queue, self.unconfirmed = collections.deque(), None
        self.uplinks = self.downlinks = 0

    def tell(self, kind, event):
        event.time.FromDatetime(datetime.datetime.now(datetime.timezone.utc))
        event.device_info.CopyFrom(events.device_info(APPLICATION, DEV_EUI))
        self.client.publish(f"application/{APPLICATION}/device/{DEV_EUI}/event/{kind}", events.to_json(event))
        if kind != "up":
            say(kind)

    def join(self):
        self.tell("join", integration.JoinEvent(deduplication_id=str(uuid.uuid4()), dev_addr="01da1f15"))

    def uplink(self):
        """The lamp speaks: first what it acknowledges, then its report, then it listens."""
        if self.unconfirmed:
            item, f_cnt = self.unconfirmed
            self.unconfirmed = None
            self.tell("ack", integration.AckEvent(
                deduplication_id=str(uuid.uuid4()), queue_item_id=item.id, acknowledged=True, f_cnt_down=f_cnt))
        self.uplinks += 1
        frequency, modulation = events.tx_info(868_500_000)
        self.tell("up", integration.UplinkEvent(
            deduplication_id=str(uuid.uuid4()), dev_addr="01da1f15", adr=True, dr=5, f_cnt=self.uplinks,
            f_port=REPORT_PORT, data=self.lamp.report(),
            rx_info=[gw.UplinkRxInfo(gateway_id=RADIO_GATEWAY, uplink_id=4217, rssi=-35, snr=5.0)],
            tx_info=gw.UplinkTxInfo(frequency=frequency, modulation=modulation)))
        if not self.queue:
            return
        item = self.queue.popleft()
        self.downlinks += 1
        self.tell("txack", integration.TxAckEvent(
            downlink_id=self.downlinks, queue_item_id=item.id, f_cnt_down=self.downlinks, gateway_id=RADIO_GATEWAY))
        self.lamp.hear(item.f_port, item.data)
        if item.confirmed:
            self.unconfirmed = item, self.downlinks

    def command(self, message):
        item = events.read_command(message.payload)
        if item.dev_eui != DEV_EUI:
            say(f"a command for {item.dev_eui}, which is not here")
            return
        say(f"queued {item.id}")
        self.queue.append(item)


def say(text):
    print(text, flush=True)


def main():
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=USER, protocol=mqtt.MQTTv5)
    client.username_pw_set(USER, PASSWORD)
    network = Network(client)
    client.on_message = lambda _client, _data, message: network.command(message)

    def on_connect(client, _data, _flags, reason, _properties):
        if reason != 0:
            say(f"the gateway refuses {USER}: {reason}")
            os._exit(1)
        client.subscribe("$share/chirpstack/application/+/device/+/command/+")

    client.on_connect = on_connect
    client.on_subscribe = lambda *_: say("ready")
    client.connect(HOST, int(PORT), keepalive=30, clean_start=False)
    client.loop_start()
    network.join()
    while True:
        network.uplink()
        time.sleep(UPLINK_EVERY_S)


try:
    main()
except KeyboardInterrupt:
    sys.exit(0)
