#!/bin/sh
# Registers a device and the key of an application at the running gateway of this example. Run it once.
set -eu
cd "$(dirname "$0")/../.."
config=${DRAGOMAN_CONFIG:-examples/connio/dragoman.toml}
dragoman() { "${DRAGOMAN_BIN:-target/debug/dragoman}" "$@" --config "$config"; }

# A secret is never an argument, where every user of the machine could read it.
export DEVICE_SECRET=thermostat-secret KEY_SECRET=connio-example-secret

# It tells in its property "result" what became of a setpoint, because the platform knows no answer to a write.
dragoman device add thermostat-1 --dialect connio --secret-env DEVICE_SECRET \
    --alias connio.id=_dev_1 --alias connio.name=thermostat --alias connio.key=_key_device_1 \
    --profile '{"properties": {"setpoint": {"type": "number", "boundaries": {"min": 5, "max": 35},
        "feedback": {"property": "result", "succeeded": "ok", "failed": "failed", "rejected": "rejected"}},
        "result": {"type": "string"}}}'
dragoman token create --dialect connio --account _key_example --secret-env KEY_SECRET \
    --rights '{"context":{"type":"account","ids":[]},"scope":["device:read-data","device:write-data"]}'
