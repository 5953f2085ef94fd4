#!/bin/sh
# Registers a device, a gateway with a sub-device, and a token at the running gateway of this example. Run it once.
set -eu
cd "$(dirname "$0")/../.."
config=${DRAGOMAN_CONFIG:-examples/huawei-iotda/dragoman.toml}
dragoman() { "${DRAGOMAN_BIN:-target/debug/dragoman}" "$@" --config "$config"; }

# A secret is never an argument, where every user of the machine could read it.
export METER_SECRET=watermeter-secret HUB_SECRET=hub-secret TOKEN_SECRET=huawei-example-token

# A key, because the device's password is an HMAC of it.
dragoman device add watermeter-001 --dialect huawei-iotda --alias huawei.id=watermeter-001 \
    --credential key --secret-env METER_SECRET
dragoman device add hub-001 --dialect huawei-iotda --alias huawei.id=hub-001 --credential key --secret-env HUB_SECRET
# It has no connection of its own: what is for it goes to the hub.
dragoman device add valve-001 --dialect huawei-iotda --alias huawei.id=valve-001 --parent hub-001
dragoman token create --dialect huawei-iotda --account example --rights '{"projects":["example"]}' \
    --secret-env TOKEN_SECRET
