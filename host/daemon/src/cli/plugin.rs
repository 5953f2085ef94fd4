//! `dragoman plugin`.

use super::args::{Connection, PluginVerb};
use super::failure::Failure;
use super::output::{Output, items, table, text, texts};
use super::plugin_file;
use serde_json::Value;
use std::path::Path;

/// Does what was asked.
pub(super) fn run(
    verb: &PluginVerb,
    connection: &Connection,
    config: Option<&Path>,
    output: &Output,
) -> Result<(), Failure> {
    match verb {
        PluginVerb::List => output.print(&connection.open(config)?.get(&["plugins"], &[])?, listed),
        PluginVerb::Inspect { component } => return plugin_file::inspect(component, config, output),
        PluginVerb::Test(what) => return plugin_file::test(what, config, output),
    }
    Ok(())
}

fn listed(plugins: &Value) -> String {
    let rows: Vec<_> = items(plugins, "loaded")
        .map(|plugin| {
            let digest: String = text(plugin, "digest").chars().take(12).collect();
            vec![
                text(plugin, "name"),
                text(plugin, "version"),
                digest,
                texts(plugin, "roles").join(","),
                text(plugin, "file"),
            ]
        })
        .collect();
    let loaded = table(&["NAME", "VERSION", "DIGEST", "ROLES", "FILE"], &rows, "no plugins are loaded");
    let refused =
        items(plugins, "refused").map(|file| format!("refused {}: {}", text(file, "file"), text(file, "reason")));
    std::iter::once(loaded).chain(refused).collect::<Vec<_>>().join("\n")
}
