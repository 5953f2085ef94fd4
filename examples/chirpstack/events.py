"""Events and commands of ChirpStack's MQTT integration as JSON, by the platform's own message classes."""

from chirpstack_api import common, gw, integration
from google.protobuf import json_format

KINDS = {
    "up": integration.UplinkEvent,
    "join": integration.JoinEvent,
    "ack": integration.AckEvent,
    "txack": integration.TxAckEvent,
    "log": integration.LogEvent,
}


def to_json(message):
    """As the platform writes it: names in camel case, members with their default values too."""
    return json_format.MessageToJson(message, always_print_fields_with_no_presence=True, indent=None)


def read_command(payload):
    """As the platform reads a downlink command: either case of names, unknown members ignored."""
    return json_format.Parse(payload, integration.DownlinkCommand(), ignore_unknown_fields=True)


def read_event(kind, payload):
    """An event, strictly: a member that the class does not have is an error."""
    return json_format.Parse(payload, KINDS[kind]())


def device_info(application, dev_eui):
    return integration.DeviceInfo(
        tenant_id="52f14cd4-c6f1-4fbd-8f87-4025e1d49242",
        tenant_name="ChirpStack",
        application_id=application,
        application_name="lamps",
        device_profile_id="605d08d4-65f5-4d2c-8a5a-3d2457662f79",
        device_profile_name="lamp",
        device_name="lamp",
        dev_eui=dev_eui,
        device_class_enabled=common.CLASS_A,
    )


def tx_info(frequency):
    lora = gw.LoraModulationInfo(bandwidth=125_000, spreading_factor=7, code_rate=gw.CR_4_5)
    return frequency, gw.Modulation(lora=lora)
