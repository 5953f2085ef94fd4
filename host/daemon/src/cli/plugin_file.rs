//! `dragoman plugin inspect` and `dragoman plugin test`: a plugin's file, without a daemon.

use super::args::PluginTest;
use super::failure::Failure;
use super::input;
use super::output::{Output, items, list, table, text, texts};
use crate::config::Config;
use crate::runtime::settings;
use dragoman_wasm::{Interface, Runtime, RuntimeOptions, TriedVector, Vector, VectorReport, run_vectors};
use serde_json::{Value, json};
use std::path::Path;

/// Says what a file is, and whether it would be loaded.
pub(super) fn inspect(component: &Path, config: Option<&Path>, output: &Output) -> Result<(), Failure> {
    let config = configuration(config)?;
    // Without a file there is nobody who could have granted anything.
    let config = if config.file.is_none() { granting_all(config) } else { config };
    let inspected = with_runtime(&config, async |runtime| {
        runtime.inspect(component, &settings::plugin_options(&config)).await.map_err(Failure::failed)
    })?;
    let misfit = inspected.resources.and_then(|resources| resources.problem());
    let mut shown = serde_json::to_value(&inspected).map_err(|error| Failure::failed(error.to_string()))?;
    if let (Some(resources), Some(misfit)) = (shown.get_mut("resources"), misfit) {
        resources["problem"] = Value::from(misfit);
    }
    output.print(&shown, inspection);
    if inspected.refused.is_none() { Ok(()) } else { Err(Failure::Printed) }
}

/// Makes the calls of vectors.
pub(super) fn test(what: &PluginTest, config: Option<&Path>, output: &Output) -> Result<(), Failure> {
    // Vectors reach nothing of a gateway, so a plugin is tried before anybody grants it something.
    let config = granting_all(configuration(config)?);
    let failed = |error: dragoman_wasm::VectorError| Failure::failed(error.to_string());
    let vectors = Vector::read_folder(&what.vectors).map_err(failed)?;
    let report = with_runtime(&config, async |runtime| {
        let plugin = runtime.load_file(&what.component, &settings::plugin_options(&config)).await;
        Ok(run_vectors(&plugin.map_err(Failure::failed)?, &vectors).await)
    })?;
    let mut blessed = Vec::new();
    for (vector, tried) in vectors.iter().zip(&report.tried).filter(|(_, tried)| what.bless && !tried.passed()) {
        vector.bless(&tried.actual).map_err(failed)?;
        blessed.push(vector.name());
    }
    let mut shown = worded(&report);
    shown["blessed"] = json!(blessed);
    if let (Some(copy), None) = (&what.carry, report.failed()) {
        carry(&what.component, copy, &vectors)?;
        shown["carried"] = json!(copy.display().to_string());
    }
    output.print(&shown, tested);
    if what.bless || report.failed().is_none() { Ok(()) } else { Err(Failure::Printed) }
}

/// Writes the copy beside its place first, for a gateway may watch the folder.
fn carry(component: &Path, copy: &Path, vectors: &[Vector]) -> Result<(), Failure> {
    let failed = |file: &Path, error: std::io::Error| Failure::failed(format!("{}: {error}", file.display()));
    let wasm = std::fs::read(component).map_err(|error| failed(component, error))?;
    let carrying = Vector::carried_by(wasm, vectors).map_err(|error| Failure::failed(error.to_string()))?;
    let partial = copy.with_extension("partial");
    std::fs::write(&partial, carrying).map_err(|error| failed(&partial, error))?;
    std::fs::rename(&partial, copy).map_err(|error| failed(copy, error))
}

fn configuration(file: Option<&Path>) -> Result<Config, Failure> {
    input::configuration(file).map_err(|error| Failure::failed(error.to_string()))
}

/// The same configuration with every interface granted to every plugin.
fn granting_all(mut config: Config) -> Config {
    config.plugins.grants = Interface::ALL.into_iter().collect();
    config.named_plugins.values_mut().for_each(|plugin| plugin.grants = None);
    config
}

/// A runtime with the limits of the configuration and room for one call. Nothing is written: the cache of compiled code is
/// the daemon's.
fn with_runtime<T>(config: &Config, work: impl AsyncFnOnce(Runtime) -> Result<T, Failure>) -> Result<T, Failure> {
    let options = RuntimeOptions {
        cache_dir: None,
        instances_max: 1,
        pooled_instances_max: 0,
        ..settings::runtime_options(config)
    };
    let failed = |error: &dyn std::fmt::Display| Failure::failed(error.to_string());
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| failed(&error))?;
    tokio.block_on(async { work(Runtime::new(options).map_err(|error| failed(&error))?).await })
}

fn worded(report: &VectorReport) -> Value {
    let vector = |tried: &TriedVector| {
        json!({
            "name": tried.name,
            "passed": tried.passed(),
            "took_us": u64::try_from(tried.took.as_micros()).unwrap_or(u64::MAX),
            "memory_bytes": tried.memory_bytes,
            "differences": tried.differences.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "actual": tried.actual,
        })
    };
    let passed = report.tried.iter().filter(|tried| tried.passed()).count();
    json!({
        "passed": passed,
        "failed": report.tried.len() - passed,
        "vectors": report.tried.iter().map(vector).collect::<Vec<_>>(),
    })
}

fn tested(report: &Value) -> String {
    let blessed = texts(report, "blessed");
    let rows: Vec<_> = items(report, "vectors")
        .map(|vector| {
            let name = text(vector, "name");
            let mark = match vector["passed"] == true {
                true => "ok",
                false if blessed.contains(&name.as_str()) => "blessed",
                false => "FAILED",
            };
            let took_ms = format!("{:.2}", vector["took_us"].as_f64().unwrap_or(0.0) / 1000.0);
            vec![mark.to_owned(), name, took_ms, kibibytes(&vector["memory_bytes"])]
        })
        .collect();
    let mut shown = table(&["", "VECTOR", "MS", "MEMORY KIB"], &rows, "no vectors");
    for vector in items(report, "vectors").filter(|vector| vector["passed"] != true) {
        shown += &format!("\n\n{}", text(vector, "name"));
        for difference in texts(vector, "differences") {
            shown += &format!("\n  {}", difference.replace('\n', "\n  "));
        }
    }
    shown + &format!("\n\n{} passed, {} failed", text(report, "passed"), text(report, "failed"))
}

fn inspection(shown: &Value) -> String {
    let resources = &shown["resources"];
    let of = |there: &str, max: &str| match resources.get(there) {
        Some(there) => format!("{there} of {}", resources[max]),
        None => String::new(),
    };
    let described = &shown["describes"];
    let claims = items(described, "claims").map(|claim| match claim {
        Value::Object(claim) => {
            claim.iter().map(|(kind, what)| format!("{kind} {}", what.as_str().unwrap_or_default())).collect()
        }
        other => other.as_str().unwrap_or_default().to_owned(),
    });
    let queues =
        items(described, "queues").map(|queue| format!("{} ({} at most)", text(queue, "name"), text(queue, "limit")));
    list(&[
        ("kind", text(shown, "kind")),
        ("contract", text(shown, "contract")),
        ("name", text(described, "name")),
        ("version", text(described, "version")),
        ("summary", text(described, "summary")),
        ("exports", texts(shown, "exports").join("\n            ")),
        ("imports", texts(shown, "imports").join("\n            ")),
        ("claims", claims.collect::<Vec<String>>().join("\n            ")),
        ("tells", text(described, "tells")),
        ("queues", queues.collect::<Vec<_>>().join(", ")),
        ("settings", text(described, "settings_schema")),
        ("memories", of("memories", "memories_max")),
        (
            "memory KiB",
            match resources.get("memory_bytes") {
                Some(bytes) => {
                    format!("{} to begin with, {} at most", kibibytes(bytes), kibibytes(&resources["memory_bytes_max"]))
                }
                None => String::new(),
            },
        ),
        ("tables", of("tables", "tables_max")),
        ("elements", of("table_elements", "table_elements_max")),
        ("misfit", text(resources, "problem")),
        ("vectors", text(shown, "vectors")),
        ("size KiB", kibibytes(&shown["bytes"])),
        ("sha256", text(shown, "digest")),
        ("refused", text(shown, "refused")),
    ])
}

fn kibibytes(bytes: &Value) -> String {
    bytes.as_u64().map_or_else(String::new, |bytes| bytes.div_ceil(1024).to_string())
}
