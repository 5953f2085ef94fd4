#!/bin/sh
# Registers a device, the user as which it signs in, a user of an application and the key that signs tokens at the running gateway
# of this example. Run it once.
set -eu
cd "$(dirname "$0")/../.."
config=${DRAGOMAN_CONFIG:-examples/devicehive/dragoman.toml}
dragoman() { "${DRAGOMAN_BIN:-target/debug/dragoman}" "$@" --config "$config"; }

# A secret is never an argument, where every user of the machine could read it.
export DEVICE_SECRET=led-secret USER_SECRET=devicehive-example-password \
    JWT_SECRET=ZGV2aWNlaGl2ZS1leGFtcGxlLXNpZ25pbmcta2V5

dragoman device add led-1 --dialect devicehive --alias devicehive.id=led-1
# On this platform devices are users too. Each of the two sees network 1 and every device type.
dragoman token create --dialect devicehive --account led-1 --secret-env DEVICE_SECRET \
    --rights '{"id":2,"role":1,"networks":["1"],"deviceTypes":["*"]}'
dragoman token create --dialect devicehive --account example --secret-env USER_SECRET \
    --rights '{"id":3,"role":1,"networks":["1"],"deviceTypes":["*"]}'
# The key that signs tokens, in Base64, for clients that ask for one instead of logging in when they connect.
dragoman token create --dialect devicehive --account jwt --kind key --secret-env JWT_SECRET
