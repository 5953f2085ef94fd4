//! What follows when plugins come, change or go: indexes of their documents, devices that count as present, transitions
//! that they have not been told of.

use super::engine::{Step, Stopped};
use super::gateway::Gateway;
use dragoman_core::{DeviceId, Input};
use dragoman_wasm::Catalog;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Steps of one turn.
const TURN_MAX: usize = 1_000;

/// Follows the plugin folder until the gateway is gone.
pub async fn follow(gateway: Arc<Gateway>) {
    let mut changes = gateway.plugins.subscribe();
    loop {
        let catalog = changes.borrow_and_update().clone();
        taken_over(&gateway, &catalog).await;
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// Makes everything fit the plugins that serve now.
pub async fn taken_over(gateway: &Arc<Gateway>, catalog: &Catalog) {
    for plugin in catalog.plugins.values() {
        let indexes = plugin.description().indexes.clone();
        if let Err(error) = gateway.engine.journal().declare_indexes(plugin.name(), indexes).await {
            tracing::error!(dialect = %plugin.name(), %error, "the indexes of a plugin's documents could not be made; its queries fail until the next start");
        }
    }
    if let Err(error) = wake_present(gateway, catalog).await {
        tracing::error!(%error, "devices that are always present could not be told; their commands wait for the next one");
    }
    gateway.notices.catch_up(gateway);
}

/// Devices of a dialect whose devices are no sessions here count as present as long as their dialect is loaded; those
/// with open commands are told to the machine.
async fn wake_present(gateway: &Arc<Gateway>, catalog: &Catalog) -> anyhow::Result<()> {
    if !catalog.plugins.values().any(|plugin| gateway.is_always_present(plugin.name())) {
        return Ok(());
    }
    let open: BTreeSet<(DeviceId, DeviceId)> = gateway
        .engine
        .look(|machine| machine.open_devices().map(|(device, holder)| (device.clone(), holder.clone())).collect());
    let mut steps = Vec::new();
    for (device, holder) in open {
        let record = gateway.engine.journal().device(&device).await?;
        let dialect = record.and_then(|record| catalog.get(&record.dialect).cloned());
        let present = dialect.is_some_and(|dialect| gateway.is_always_present(dialect.name()));
        if present {
            steps.push(Step::Input(Input::Presence { holder, online: true }));
        }
        if steps.len() == TURN_MAX {
            turn(gateway, &mut steps)?;
        }
    }
    Ok(turn(gateway, &mut steps)?)
}

fn turn(gateway: &Gateway, steps: &mut Vec<Step>) -> Result<(), Stopped> {
    gateway.engine.turn(std::mem::take(steps), None).map(drop)
}
