#!/bin/sh
# Registers a network server, a lamp behind it and an API key at the running gateway of this example. Run it once.
set -eu
cd "$(dirname "$0")/../.."
config=${DRAGOMAN_CONFIG:-examples/chirpstack/dragoman.toml}
dragoman() { "${DRAGOMAN_BIN:-target/debug/dragoman}" "$@" --config "$config"; }

# A secret is never an argument, where every user of the machine could read it.
export NETWORK_SECRET=network-secret API_KEY=tts-example-key

dragoman device add network-1 --dialect chirpstack --alias chirpstack.server=network-1 --secret-env NETWORK_SECRET
# It does not connect itself, a handler makes bytes of its commands, and The Things Stack knows it as lamp-1 of app1.
dragoman device add lamp-1 --dialect chirpstack --parent network-1 --handler lora-lamp \
    --alias lorawan.dev-eui=4200000000000000 --alias tts.id=app1.lamp-1
dragoman token create --dialect the-things-stack --account app1 --secret-env API_KEY \
    --rights '{"rights":["RIGHT_APPLICATION_TRAFFIC_READ","RIGHT_APPLICATION_TRAFFIC_DOWN_WRITE"]}'
