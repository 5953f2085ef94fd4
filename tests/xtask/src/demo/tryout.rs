//! Lines that a person can copy into a terminal while the demonstration stays up.

use super::cast::{FLEETS_KEY, HUAWEI_TOKEN, LOCKBOX, METER, THERMOSTAT, YOURS};
use super::stage::Addresses;

/// What to try; every line works as it stands.
pub(crate) fn text(addresses: &Addresses) -> String {
    let Addresses { http, mqtt, admin, token, folder, binary } = addresses;
    let (host, port) = mqtt.rsplit_once(':').unwrap_or((mqtt, "1883"));
    let fleets = format!("-u {}:{} http://{http}/api/v1/commands", FLEETS_KEY.0, FLEETS_KEY.1);
    let huawei = format!("-H 'X-Auth-Token: {}' http://{http}/v5/iot/demo/devices", HUAWEI_TOKEN.1);
    let (thermostat, meter, lockbox, yours) = (THERMOSTAT.id, METER.id, LOCKBOX.id, YOURS.id);
    let client = format!("-h {host} -p {port} -i {yours} -u {yours} -P {} -q 1", YOURS.secret);
    let topic = format!("$emqx/commands/things/{yours}/executions");
    format!(
        "
The gateway stays up until Ctrl-C. In another terminal, try:

# a command to the thermostat the Fleets way, then the list of what it was asked
curl -s {fleets} -d '{{\"thingId\":\"{thermostat}\",\"action\":\"setTemperature\",\"params\":{{\"value\":21}}}}'
curl -s '{fleets_list}' -u {key}:{secret}

# a command to the water meter the IoTDA way, and the same to the lockbox with its three steps
curl -s {huawei}/{meter}/commands -d '{{\"service_id\":\"W\",\"command_name\":\"ON_OFF\",\"paras\":{{\"value\":\"ON\"}}}}'
curl -s {huawei}/{lockbox}/commands -d '{{\"command_name\":\"setLevel\",\"paras\":{{\"level\":7,\"pin\":\"1234\"}}}}'

# be a device yourself: a command is sent, you take it, answer it, and look what became of it
E=$(curl -s {fleets} -d '{{\"thingId\":\"{yours}\",\"action\":\"ping\",\"ttl\":600}}' | sed 's/.*\"executionId\":\"\\([^\"]*\\)\".*/\\1/')
mosquitto_sub {client} -c -C 1 -v -t '{topic}/+/request'
mosquitto_pub {client} -t '{topic}/'$E'/response' -m '{{\"status\":\"SUCCEEDED\",\"result\":{{\"pong\":true}}}}'
curl -s {fleets}/$E

# what the operator sees
export DRAGOMAN_ADMIN=http://{admin} DRAGOMAN_ADMIN_TOKEN={token}
{binary} execution list
{binary} device list --json
curl -s http://{admin}/metrics | grep dragoman_

The configuration and the data are in {folder} and go with the demonstration.
",
        fleets_list = format_args!("http://{http}/api/v1/commands?thingId={thermostat}"),
        key = FLEETS_KEY.0,
        secret = FLEETS_KEY.1,
    )
}
