//! What stands in the daemon, to compare before and after; and the ids that rows refer to.

use dragoman_e2e::World;
use dragoman_e2e::devices::{self, METER, THERMOSTAT};
use dragoman_e2e::wait::SOON;
use dragoman_simulators::{Behaviour, Device};
use serde_json::json;

/// Every execution and every device as the admin API tells them, byte for byte.
pub(crate) async fn standing(world: &World) -> anyhow::Result<String> {
    let executions = world.admin.get("/v1/executions?limit=1000").await?.expect(200)?;
    let devices = world.admin.get("/v1/devices?limit=1000").await?.expect(200)?;
    Ok(format!("{executions}\n{devices}"))
}

/// The same, but for when an execution that has ended was last heard of: a late word is a line in its history and changes
/// no verdict.
pub(crate) async fn verdicts(world: &World) -> anyhow::Result<String> {
    let mut executions = world.admin.get("/v1/executions?limit=1000").await?.expect(200)?;
    let items = executions["items"].as_array_mut().into_iter().flatten();
    for execution in items.filter(|execution| !execution["ended_ms"].is_null()) {
        execution["updated_ms"] = json!(null);
    }
    let devices = world.admin.get("/v1/devices?limit=1000").await?.expect(200)?;
    Ok(format!("{executions}\n{devices}"))
}

/// What the rows need to be there, and the devices that send bad messages.
pub(crate) struct Places {
    /// An execution that a thing was sent and has not answered.
    open: String,
    /// One that was canceled.
    ended: String,
    /// The request id under which the meter was sent a command that it has not answered.
    request: String,
    pub(crate) thermostat: Device,
    pub(crate) meter: Device,
}

impl Places {
    pub(crate) async fn prepare(world: &World) -> anyhow::Result<Self> {
        let mut thermostat = world.thing(THERMOSTAT, Behaviour::Silent).await?;
        let mut meter = world.device(METER, Behaviour::Silent).await?;
        let ended = world.fleets.accepted(THERMOSTAT, "reboot", &json!({}), 600).await?;
        devices::received(&mut thermostat).await?;
        world.fleets.post(&format!("/api/v1/commands/{ended}/cancel"), "").await?.expect(200)?;
        world.fleets.ended(&ended, SOON).await?;
        let open = world.fleets.accepted(THERMOSTAT, "reboot", &json!({}), 600).await?;
        devices::received(&mut thermostat).await?;
        world.fleets.accepted(METER, "ON_OFF", &json!({}), 600).await?;
        let (topic, _) = devices::received(&mut meter).await?;
        let request = topic.rsplit('=').next().unwrap_or_default().to_owned();
        settled(world).await?;
        Ok(Self { open, ended, request, thermostat, meter })
    }

    /// Puts the real ids in the place of their names.
    pub(crate) fn fill(&self, text: &str) -> String {
        text.replace("{open}", &self.open).replace("{ended}", &self.ended).replace("{request}", &self.request)
    }

    /// Puts the names in the place of the real ids.
    pub(crate) fn hide(&self, text: &str) -> String {
        text.replace(&self.open, "{open}").replace(&self.ended, "{ended}").replace(&self.request, "{request}")
    }
}

/// Waits until the devices' receipts are in: two looks that are the same, with a look at a third thing between them.
async fn settled(world: &World) -> anyhow::Result<()> {
    dragoman_e2e::wait::until("the receipts of what was sent", SOON, || async {
        let executions = world.admin.get("/v1/executions?limit=1000").await?.text;
        Ok((!executions.contains("\"QUEUED\"") && executions.matches("\"ACKED\"").count() >= 1).then_some(()))
    })
    .await
}
