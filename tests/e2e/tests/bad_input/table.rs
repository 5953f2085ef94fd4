//! Tables whose answers stand in golden files, one a dialect and way in: what was asked, what was answered, which metrics
//! grew, and that everything else stands as it stood.
//!
//! `UPDATE_GOLDEN=1` writes the files anew.

use crate::ask;
use crate::golden::{Golden, masked};
use crate::http_row::Who;
use crate::standing::standing;
use anyhow::Context;
use dragoman_e2e::lamps::Side;
use dragoman_e2e::metrics::Metrics;
use dragoman_e2e::tokens::{TTS_APPLICATION, TTS_KEY};
use dragoman_e2e::{World, http};
use serde_json::json;

/// A request.
pub(crate) struct Call {
    what: &'static str,
    /// Method and path.
    request: String,
    who: Who,
    body: Vec<u8>,
}

impl Call {
    pub(crate) fn new(what: &'static str, request: &str, who: Who, body: &str) -> Self {
        Self::bytes(what, request, who, body.as_bytes().to_vec())
    }

    pub(crate) fn bytes(what: &'static str, request: &str, who: Who, body: Vec<u8>) -> Self {
        Self { what, request: request.to_owned(), who, body }
    }
}

/// A daemon with the five lamps, none of which is connected, and a downlink that waits for each; but for
/// that of DeviceHive, where a command is announced whether somebody listens or not.
pub(crate) async fn world() -> anyhow::Result<World> {
    world_with("").await
}

/// The same, with TOML added to the daemon's configuration.
pub(crate) async fn world_with(extra: &str) -> anyhow::Result<World> {
    let world = World::start_with(extra).await?;
    for record in Side::ALL.into_iter().flat_map(Side::records) {
        world.admin.add_device(&record).await?;
    }
    let client = http::client()?;
    for side in Side::ALL.into_iter().filter(|side| *side != Side::DeviceHive) {
        let lamp = side.id();
        let path = format!("/api/v3/as/applications/{TTS_APPLICATION}/devices/{lamp}/down/push");
        let item = json!({ "downlinks": [{ "f_port": 10, "decoded_payload": { "level": 50 } }] });
        let url = format!("http://{}{path}", world.daemon.listeners().http);
        http::send(client.post(url).bearer_auth(TTS_KEY).json(&item)).await?.expect(200)?;
    }
    Ok(world)
}

/// Sends every request of a table.
pub(crate) async fn calls(name: &str, rows: Vec<Call>) -> anyhow::Result<()> {
    let world = world().await?;
    calls_in(&world, name, rows).await
}

/// The same, at a daemon that is there.
pub(crate) async fn calls_in(world: &World, name: &str, rows: Vec<Call>) -> anyhow::Result<()> {
    let client = http::client()?;
    let mut golden = Golden::open(&format!("{name}.http"))?;
    for row in rows {
        let standing_before = standing(world).await?;
        let before = world.admin.metrics().await?;
        let answer = ask(&client, world, &row.request, row.who, row.body).await.with_context(|| row.what)?;
        let after = world.admin.metrics().await?;
        let grown = grown(&before, &after, &["dragoman_http_responses_total", "dragoman_plugin_faults_total"]);
        let text = format!("{}\n{} {}\n{grown}", row.request, answer.status, masked(&answer.text));
        golden.found(row.what, &text);
        assert_eq!(standing(world).await?, standing_before, "{}", row.what);
    }
    golden.check()
}

/// A line for each series of these names that grew.
fn grown(before: &Metrics, after: &Metrics, names: &[&str]) -> String {
    let grown = after.grown_since(before).into_iter();
    let counted = grown.filter(|(series, _)| names.iter().any(|name| series.starts_with(name)));
    counted.map(|(series, by)| format!("+{by} {series}\n")).collect()
}
