"""Handler for the dimmer that ../README.md describes.

Each class is an interface of the contract. `componentize-py` makes the modules that are imported here of `wit/`: names
in snake_case, one class for each case of a variant, `option` as None, and an error is raised as `Err`.
"""

import json

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.decoder import Direction
from wit_world.exports.handler import Command, Plan, Reply_Outcome, Step_Finish, Step_Send
from wit_world.exports.plugin import Description
from wit_world.imports import host
from wit_world.imports.types import (
    Decoded,
    Delivery,
    Error_Internal,
    Error_Invalid,
    Intent_Deliver,
    Intent_Invoke,
    Outcome_Failed,
    Outcome_Rejected,
    Outcome_Succeeded,
    Payload_Bytes,
    Reason,
    Stage,
)

SET = 0x10
SET_AT_ONCE = 0x11
REPORT = 0x81
HOT_CELSIUS = 80

SET_SCHEMA = {
    "type": "object",
    "required": ["level"],
    "properties": {
        "level": {"type": "integer", "minimum": 0, "maximum": 100},
        "fade_ms": {"type": "integer", "minimum": 0, "maximum": 25500},
    },
}
SETTINGS_SCHEMA = {
    "type": "object",
    "properties": {"reply_within_ms": {"type": "integer", "minimum": 1, "maximum": 600000}},
}


class Plugin(exports.Plugin):
    def describe(self):
        return Description(
            name="dimmer",
            version="1.0.0",
            summary="Example dimmer that is set, checked and asked once more",
            claims=[],
            tells=Stage.ENDED,
            queues=[],
            credential_headers=[],
            settings_schema=json.dumps(SETTINGS_SCHEMA),
            attributes=[],
        )


class Handler(exports.Handler):
    def commands(self):
        return [Command("set", "Sets the level and checks it", json.dumps(SET_SCHEMA))]

    def start(self, device, intent):
        if not isinstance(intent, Intent_Invoke) or intent.value.action != "set":
            return rejected("UNSUPPORTED", "the dimmer knows only `set`")
        params = json.loads(intent.value.params) or {}
        level = whole(params.get("level"), 100)
        if level is None:
            return rejected("INVALID_PARAMS", "`level` must be a whole number from 0 to 100")
        fade_ms = params.get("fade_ms")
        fade_ms = whole(0 if fade_ms is None else fade_ms, 25500)
        if fade_ms is None:
            return rejected("INVALID_PARAMS", "`fade_ms` must be a whole number from 0 to 25500")
        return send(bytes([SET, level, fade_ms // 100]), 1)

    def resume(self, device, intent, state, reply):
        tries = json.loads(state).get("tries")
        if tries not in (1, 2):
            raise Err(Error_Internal("the state is not that of this handler"))
        wanted = whole(json.loads(intent.value.params)["level"], 100)
        outcome = reply.value if isinstance(reply, Reply_Outcome) else None
        if isinstance(outcome, Outcome_Rejected):
            return rejected("REFUSED", f"the dimmer refused: {outcome.value.text}")
        told = level_of(outcome.value) if isinstance(outcome, Outcome_Succeeded) else None
        if whole(told, 100) == wanted:
            return Step_Finish(Outcome_Succeeded(json.dumps({"level": wanted, "tries": tries})))
        if tries == 1:
            return send(bytes([SET_AT_ONCE, wanted]), 2)
        if outcome is None:
            return failed("NO_REPLY", "the dimmer did not answer, asked twice", None)
        if isinstance(outcome, Outcome_Failed):
            return failed("FAILED", f"the dimmer failed: {outcome.value.text}", None)
        return failed("LEVEL_DIFFERS", "the dimmer reports another level", json.dumps({"wanted": wanted, "told": told}))


class Decoder(exports.Decoder):
    def decode(self, device, direction, what):
        payload = bytes_of(what.payload)
        up = direction == Direction.UP
        if up and len(payload) == 4 and payload[0] == REPORT:
            temperature = int.from_bytes(payload[2:3], signed=True)
            warnings = ["the dimmer is hot"] if temperature > HOT_CELSIUS else []
            measured_ms = host.now() - payload[3] * 1000
            return decoded({"level": payload[1], "temperature": temperature, "measured_ms": measured_ms}, warnings)
        if not up and len(payload) == 3 and payload[0] == SET:
            return decoded({"set": payload[1], "fade_ms": payload[2] * 100}, [])
        if not up and len(payload) == 2 and payload[0] == SET_AT_ONCE:
            return decoded({"set": payload[1]}, [])
        raise Err(Error_Invalid(f"{len(payload)} bytes are no message of a dimmer"))


def whole(value, most):
    """A whole number from 0, also where it is written as 5.0; a truth value is none, though Python counts it as one."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value // 1 or not 0 <= value <= most:
        return None
    return int(value)


def bytes_of(payload):
    """The gateway gives text for all that is valid UTF-8, also where the device sent binary that happens to be."""
    return payload.value if isinstance(payload, Payload_Bytes) else payload.value.encode()


def level_of(result):
    value = None if result is None else json.loads(result)
    return value.get("level") if isinstance(value, dict) else None


def send(payload, tries):
    frame = Delivery("set", Payload_Bytes(payload), [])
    reply_within = json.loads(host.settings()).get("reply_within_ms", 5000)
    return Step_Send(Plan([Intent_Deliver(frame)], json.dumps({"tries": tries}), reply_within))


def rejected(code, text):
    return Step_Finish(Outcome_Rejected(Reason(code, text, None)))


def failed(code, text, detail):
    return Step_Finish(Outcome_Failed(Reason(code, text, detail)))


def decoded(value, warnings):
    return Decoded(json.dumps(value), warnings)
