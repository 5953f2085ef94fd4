//! `dragoman plugin`.

use super::args::PluginVerb;
use super::client::Daemon;
use super::failure::Failure;
use super::output::{Output, items, table, text, texts};
use serde_json::Value;

/// Does what was asked.
pub(super) fn run(verb: &PluginVerb, daemon: &Daemon, output: &Output) -> Result<(), Failure> {
    let PluginVerb::List = verb;
    output.print(&daemon.get(&["plugins"], &[])?, listed);
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
