//! `server/info`, `server/cacheInfo` and `cluster/info`, which anybody may ask for, and `configuration/get`.

use crate::actions::Call;
use crate::answer::{ApiError, Done, Failure, reply};
use crate::instant;
use crate::permission::Permission;
use dragoman_plugin_sdk::Gateway;
use serde::Serialize;

/// The version of the platform whose behaviour this is.
const API_VERSION: &str = "4.0.0";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Info<'a> {
    api_version: &'static str,
    server_timestamp: String,
    rest_server_url: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CacheInfo {
    server_timestamp: String,
    cache_stats: &'static str,
}

/// The platform tells where its message bus is; there is none here.
#[derive(Serialize)]
struct ClusterInfo {
    #[serde(rename = "bootstrap.servers")]
    bootstrap_servers: &'static str,
    #[serde(rename = "zookeeper.connect")]
    zookeeper_connect: &'static str,
}

pub(crate) fn info<G: Gateway>(call: &Call<'_, G>) -> Result<Done, Failure> {
    let server_timestamp = instant::text(call.gateway.now_ms());
    let rest_server_url = &call.settings.rest_server_url;
    reply("info", &Info { api_version: API_VERSION, server_timestamp, rest_server_url })
}

pub(crate) fn cache_info<G: Gateway>(call: &Call<'_, G>) -> Result<Done, Failure> {
    let server_timestamp = instant::text(call.gateway.now_ms());
    reply("cacheInfo", &CacheInfo { server_timestamp, cache_stats: "" })
}

pub(crate) fn cluster_info<G: Gateway>(_: &Call<'_, G>) -> Result<Done, Failure> {
    reply("clusterInfo", &ClusterInfo { bootstrap_servers: "", zookeeper_connect: "" })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Configuration<'a> {
    name: &'a str,
    value: &'a str,
    /// How often it was changed; what the settings say never is.
    entity_version: u64,
}

pub(crate) fn configuration<G: Gateway>(call: &Call<'_, G>) -> Result<Done, Failure> {
    call.require(Permission::ManageConfiguration)?;
    let name = call.request.members.text("name")?.filter(|name| !name.is_empty()).ok_or_else(ApiError::invalid)?;
    let missing = || ApiError::new(404, format!("Requested config with name = {name} not found in the database"));
    let value = call.settings.configurations.get(&name).ok_or_else(missing)?;
    reply("configuration", &Configuration { name: &name, value, entity_version: 0 })
}
