#!/bin/sh
# Registers two things and an API key at the running gateway of this example. Run it once.
set -eu
cd "$(dirname "$0")/../.."
config=${DRAGOMAN_CONFIG:-examples/emqx-fleets/dragoman.toml}
dragoman() { "${DRAGOMAN_BIN:-target/debug/dragoman}" "$@" --config "$config"; }

# A secret is never an argument, where every user of the machine could read it.
export THERMOSTAT_SECRET=thermostat-secret LOCKBOX_SECRET=lockbox-secret KEY_SECRET=fleets-example-secret

dragoman device add thermostat-001 --dialect emqx-fleets --alias fleets.name=thermostat-001 \
    --credential password --secret-env THERMOSTAT_SECRET
# Its commands are planned by plugins/lockbox: unlock, set, read back.
dragoman device add lockbox-001 --dialect emqx-fleets --handler lockbox --alias fleets.name=lockbox-001 \
    --credential password --secret-env LOCKBOX_SECRET
# The key may call every path of the API with these methods.
dragoman token create --dialect emqx-fleets --account ak_example \
    --rights '{"GET":["/api/v1"],"POST":["/api/v1"],"DELETE":["/api/v1"]}' --secret-env KEY_SECRET
