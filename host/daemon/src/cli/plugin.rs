//! `dragoman plugin`.

use super::args::{Connection, PluginVerb};
use super::dead_letter;
use super::failure::Failure;
use super::output::{Output, items, table, text, texts};
use super::plugin_file;
use serde_json::{Value, json};
use std::path::Path;

/// Does what was asked.
pub(super) fn run(
    verb: &PluginVerb,
    connection: &Connection,
    config: Option<&Path>,
    output: &Output,
) -> Result<(), Failure> {
    match verb {
        PluginVerb::DeadLetter(verb) => return dead_letter::run(verb, &connection.open(config)?, output),
        PluginVerb::List => output.print(&connection.open(config)?.get(&["plugins"], &[])?, listed),
        PluginVerb::Inspect { component } => return plugin_file::inspect(component, config, output),
        PluginVerb::Test(what) => return plugin_file::test(what, config, output),
        PluginVerb::Readmit { name } => {
            let done = connection.open(config)?.post(&["plugins", name, "readmit"], &json!({}))?;
            output.print(&done, |_| format!("plugin {name} is called again"));
        }
        PluginVerb::Release { name, digest } => {
            let body = digest.as_ref().map_or_else(|| json!({}), |digest| json!({"digest": digest}));
            let done = connection.open(config)?.post(&["plugins", name, "release"], &body)?;
            output.print(&done, |done| {
                let released = format!("{} commands go on with the newest version of {name}", text(done, "released"));
                match text(done, "waiting").as_str() {
                    "0" => released,
                    waiting => {
                        format!("{released}; {waiting} more will, when the call that is under way for each is done")
                    }
                }
            });
        }
    }
    Ok(())
}

fn quarantined(plugin: &Value) -> Option<String> {
    let quarantine = plugin.get("quarantine").filter(|quarantine| quarantine.is_object())?;
    let (name, version) = (text(plugin, "name"), text(plugin, "version"));
    let (again_in_ms, reason) = (text(quarantine, "again_in_ms"), text(quarantine, "reason"));
    Some(format!("quarantined {name} {version}, tried again in {again_in_ms} ms: {reason}"))
}

fn listed(plugins: &Value) -> String {
    let rows: Vec<_> = items(plugins, "loaded")
        .map(|plugin| {
            vec![
                text(plugin, "name"),
                text(plugin, "version"),
                digest(plugin),
                text(plugin, "executions"),
                texts(plugin, "roles").join(","),
                text(plugin, "file"),
            ]
        })
        .collect();
    let heading = ["NAME", "VERSION", "DIGEST", "OPEN", "ROLES", "FILE"];
    let loaded = table(&heading, &rows, "no plugins are loaded");
    let older = items(plugins, "older").map(|plugin| {
        let what = if plugin["removed"] == true { "removed" } else { "older" };
        let (name, version, open) = (text(plugin, "name"), text(plugin, "version"), text(plugin, "executions"));
        format!("{what} {name} {version} {}: {open} open commands need it", digest(plugin))
    });
    let quarantined = items(plugins, "loaded").chain(items(plugins, "older")).filter_map(quarantined);
    let refused = items(plugins, "refused").map(|file| {
        // Anybody may have named it.
        let name = text(file, "file");
        format!("refused {} ({}): {}", name.escape_debug(), text(file, "step"), text(file, "reason"))
    });
    std::iter::once(loaded).chain(older).chain(quarantined).chain(refused).collect::<Vec<_>>().join("\n")
}

fn digest(plugin: &Value) -> String {
    text(plugin, "digest").chars().take(12).collect()
}
