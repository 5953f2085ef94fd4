//! `dragoman check`: what would keep the daemon from starting, found without starting it.

mod brokers;

use super::failure::Failure;
use super::input;
use super::output::{Output, table, text};
use crate::config::{Config, TargetConfig, TokenSource};
use crate::outbound::Client;
use crate::runtime::settings;
use dragoman_wasm::{Catalog, PluginFolder, Runtime};
use serde_json::{Value, json};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

/// One thing that was looked at.
struct Finding {
    what: String,
    /// Whether the daemon can do with it.
    good: bool,
    text: String,
}

/// Looks at everything, then says what it found.
pub(super) fn run(file: Option<&Path>, output: &Output) -> Result<(), Failure> {
    let config = input::configuration(file).map_err(|error| Failure::failed(error.to_string()))?;
    let named = config.file.as_ref().map_or("every default".to_owned(), |file| file.display().to_string());
    let mut findings = vec![good("configuration", named)];
    findings.push(writable_folder("data_dir", &config.data_dir));
    findings.push(admin_token(&config));
    for (what, listen) in [
        ("http.listen", config.http.listen),
        ("mqtt.listen", config.mqtt.listen),
        ("admin.listen", config.admin.listen),
    ] {
        findings.push(free_port(what, listen));
    }
    findings.extend(
        config
            .mqtt
            .listeners
            .iter()
            .map(|(name, listener)| free_port(&format!("{}.listen", crate::tls::mqtt_section(name)), listener.listen)),
    );
    findings.extend(certificates(&config));
    findings.extend(config.brokers.iter().map(|(name, broker)| brokers::of(name, broker)));
    findings.extend(config.targets.iter().map(|(name, target)| target_of(name, target)));
    findings.extend(plugins(&config));
    report(&findings, output)
}

fn report(findings: &[Finding], output: &Output) -> Result<(), Failure> {
    let shown: Vec<Value> = findings
        .iter()
        .map(|finding| json!({"what": finding.what, "ok": finding.good, "text": finding.text}))
        .collect();
    output.print(&json!({"findings": shown}), |value| {
        let rows: Vec<_> = super::output::items(value, "findings")
            .map(|finding| {
                let mark = if finding.get("ok") == Some(&Value::Bool(true)) { "ok" } else { "WRONG" };
                vec![mark.to_owned(), text(finding, "what"), text(finding, "text")]
            })
            .collect();
        table(&["", "WHAT", "FOUND"], &rows, "")
    });
    if findings.iter().all(|finding| finding.good) { Ok(()) } else { Err(Failure::Printed) }
}

/// A folder that is there is tried with a file that goes at once; of one that is not, the nearest folder above.
fn writable_folder(what: &str, folder: &Path) -> Finding {
    let nearest = folder.ancestors().find(|above| above.as_os_str().is_empty() || above.exists());
    let tried = match nearest {
        Some(above) if !above.as_os_str().is_empty() => above,
        _ => Path::new("."),
    };
    let name = folder.display();
    let probe = tried.join(format!(".dragoman-check-{}", std::process::id()));
    if let Err(error) = std::fs::write(&probe, b"") {
        let text = format!("{name} cannot be written ({error}); let the user that runs dragoman write to it");
        return wrong(what, text);
    }
    match std::fs::remove_file(&probe) {
        Err(error) => wrong(what, format!("{} cannot be removed again: {error}", probe.display())),
        Ok(()) if tried == folder => good(what, name.to_string()),
        Ok(()) => good(what, format!("{name}, made at the first start")),
    }
}

fn admin_token(config: &Config) -> Finding {
    match (&config.admin.token, config.known_admin_token()) {
        (TokenSource::Made(path), Err(_)) if !path.exists() => {
            good("admin token", format!("{}, made at the first start", path.display()))
        }
        (_, Err(error)) => wrong("admin token", error.to_string()),
        (TokenSource::Env(name), Ok(_)) => good("admin token", format!("from {name}")),
        (TokenSource::File(path) | TokenSource::Made(path), Ok(_)) => good("admin token", path.display().to_string()),
    }
}

fn free_port(what: &str, listen: SocketAddr) -> Finding {
    match TcpListener::bind(listen) {
        Ok(_) => good(what, listen.to_string()),
        Err(error) => wrong(
            what,
            format!("{listen} cannot be used ({error}); does another program, or a dragoman, listen there?"),
        ),
    }
}

/// Reads the certificates of the listeners as the daemon would.
fn certificates(config: &Config) -> Vec<Finding> {
    let configured = crate::tls::configured(config).into_iter();
    configured
        .map(|(section, files, is_http)| {
            let what = format!("{section} certificate");
            match crate::tls::files::check(&section, files, is_http) {
                Ok(text) => good(&what, text),
                Err(error) => wrong(&what, error.to_string()),
            }
        })
        .collect()
}

/// Reads the files of a target as the daemon would; it connects to nothing.
fn target_of(name: &str, target: &TargetConfig) -> Finding {
    let what = format!("target {name}");
    if let Err(error) = Client::new(name, target) {
        return wrong(&what, error.to_string());
    }
    let clear = if target.is_tls() || target.authorization_file.is_none() {
        ""
    } else {
        "; the authorization header goes there in the clear, use https:// unless it is this machine"
    };
    good(
        &what,
        format!("{}, {} requests at once, {} may wait{clear}", target.url, target.in_flight_max, target.waiting_max),
    )
}

/// Loads every plugin as the daemon would, and looks whether the configuration names ones that are there.
fn plugins(config: &Config) -> Vec<Finding> {
    let folder = &config.plugins.folder;
    if !folder.exists() {
        let text = format!(
            "{} is missing; the daemon makes it, and serves no dialect until a .wasm file is in it",
            folder.display()
        );
        return vec![wrong("plugins.folder", text)];
    }
    match load(config) {
        Ok(catalog) => {
            let mut findings = vec![good("plugins.folder", folder.display().to_string())];
            findings.extend(loaded(&catalog));
            findings.extend(named(config, &catalog));
            findings
        }
        Err(error) => vec![wrong("plugins.folder", format!("{error:#}"))],
    }
}

fn load(config: &Config) -> anyhow::Result<std::sync::Arc<Catalog>> {
    // Nothing is written: the cache of compiled code and the kept versions are the daemon's.
    let options =
        dragoman_wasm::RuntimeOptions { cache_dir: None, kept_dir: None, ..settings::runtime_options(config) };
    let plugin_options = settings::plugin_options(config);
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    tokio.block_on(async {
        let runtime = Runtime::new(options)?;
        let folder = PluginFolder::open(runtime, config.plugins.folder.clone(), plugin_options).await?;
        Ok(folder.catalog())
    })
}

fn loaded(catalog: &Catalog) -> Vec<Finding> {
    let served = catalog.plugins.values().map(|plugin| {
        let text = format!("version {}, sha256 {}, {}", plugin.version(), plugin.digest(), plugin.file().display());
        good(&format!("plugin {}", plugin.name()), text)
    });
    let refused =
        catalog.refused.iter().map(|file| wrong(&format!("plugin {}", file.file.display()), file.reason.clone()));
    served.chain(refused).collect()
}

/// Names in the configuration that no loaded plugin has.
fn named(config: &Config, catalog: &Catalog) -> Vec<Finding> {
    let mut findings = Vec::new();
    let further = config.mqtt.listeners.iter();
    let further =
        further.map(|(name, listener)| (format!("{}.dialects", crate::tls::mqtt_section(name)), &listener.dialects));
    let offered = std::iter::once(("mqtt.dialects".to_owned(), &config.mqtt.dialects));
    // A listener that names none has those of [mqtt], of which is said there what is wrong.
    let offered = offered.chain(further.filter(|(_, dialects)| **dialects != config.mqtt.dialects));
    for (key, dialect) in offered.flat_map(|(key, dialects)| dialects.iter().map(move |dialect| (key.clone(), dialect)))
    {
        match catalog.get(dialect) {
            None => {
                findings.push(wrong(&key, format!("no plugin {dialect} is in the folder; add it, or leave it out")));
            }
            Some(plugin) if !plugin.roles().admission => {
                let text = format!("plugin {dialect} lets no connections in (it exports no admission); leave it out");
                findings.push(wrong(&key, text));
            }
            Some(_) => {}
        }
    }
    for (name, broker) in &config.brokers {
        findings.extend(brokers::with_plugin(name, broker, catalog.get(&broker.dialect).map(|plugin| &**plugin)));
    }
    for name in config.named_plugins.keys().filter(|name| catalog.get(name).is_none()) {
        findings.push(wrong(&format!("[plugin.{name}]"), format!("no plugin {name} is in the folder")));
    }
    findings
}

fn good(what: &str, text: String) -> Finding {
    Finding { what: what.to_owned(), good: true, text }
}

fn wrong(what: &str, text: String) -> Finding {
    Finding { what: what.to_owned(), good: false, text }
}

#[cfg(test)]
mod tests {
    use super::{free_port, target_of, writable_folder};
    use crate::config::TargetConfig;
    use std::net::TcpListener;

    #[test]
    fn a_folder_that_is_not_there_is_tried_above() {
        let folder = tempfile::tempdir().unwrap();
        let there = writable_folder("data_dir", folder.path());
        assert!(there.good && there.text == folder.path().display().to_string());
        let missing = folder.path().join("a/b");
        let made = writable_folder("data_dir", &missing);
        assert_eq!((made.good, made.text), (true, format!("{}, made at the first start", missing.display())));
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let below = writable_folder("data_dir", &file);
        assert!(!below.good && below.text.contains("cannot be written"), "{}", below.text);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");
    }

    #[test]
    fn a_target_is_found_to_be_good_or_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("secret");
        let target =
            TargetConfig { authorization_file: Some(secret.clone()), ..TargetConfig::at("http://a.example/hook") };
        let missing = target_of("alarms", &target);
        assert!(
            !missing.good && missing.text.starts_with("targets.alarms.authorization_file names"),
            "{}",
            missing.text
        );
        std::fs::write(&secret, "Bearer hush").unwrap();
        let clear = target_of("alarms", &target);
        assert_eq!(
            (clear.good, clear.text.as_str()),
            (
                true,
                "http://a.example/hook, 4 requests at once, 10000 may wait; the authorization header goes there in the \
                 clear, use https:// unless it is this machine"
            )
        );
        let plain = target_of("alarms", &TargetConfig::at("http://a.example/hook"));
        assert_eq!(
            (plain.good, plain.text.as_str()),
            (true, "http://a.example/hook, 4 requests at once, 10000 may wait")
        );
    }

    #[test]
    fn a_taken_port_is_found() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let finding = free_port("http.listen", address);
        assert!(!finding.good && finding.text.starts_with(&format!("{address} cannot be used")), "{}", finding.text);
        drop(taken);
        assert!(free_port("http.listen", address).good);
    }
}
