//! From a file to a plugin, or to one sentence that names the file, what is missing and what would mend it.

use crate::access::Export;
use crate::cache;
use crate::convert;
use crate::description::Description;
use crate::error::Fault;
use crate::instances::Instances;
use crate::options::PluginOptions;
use crate::plugin::Plugin;
use crate::runtime::Runtime;
use crate::state::{About, Call, Facts};
use crate::unit::{CONTRACT, CONTRACT_VERSION, Unit};
use crate::vectors::{self, Vector, VectorError};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use wasmtime::component::Component;

/// First bytes of every WebAssembly file, then of a component, then of a module.
pub(crate) const MAGIC: &[u8] = b"\0asm";
pub(crate) const COMPONENT_LAYER: &[u8] = &[0x0d, 0, 1, 0];
pub(crate) const MODULE_LAYER: &[u8] = &[1, 0, 0, 0];
const HOW_TO_BUILD: &str = "build it with `cargo build --release --target wasm32-wasip2`, or with the tool of its \
                            language that makes components";

/// Loads one file. The error is the sentence.
pub(crate) async fn load(
    runtime: &Runtime,
    file: &Path,
    wasm: Vec<u8>,
    digest: String,
    options: &BTreeMap<String, PluginOptions>,
) -> Result<Plugin, String> {
    let shown = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
    check_header(&wasm).map_err(|problem| format!("{shown} {problem}"))?;
    let carried = vectors::carried(&wasm).map(|json| json.map(<[u8]>::to_vec));
    let unit = {
        let (runtime, digest) = (runtime.clone(), digest.clone());
        let made = tokio::task::spawn_blocking(move || compile(&runtime, &digest, &wasm)).await;
        made.unwrap_or_else(|error| Err(format!("could not be compiled: {error}; rebuild it")))
    };
    let unit = unit.map_err(|problem| format!("{shown} {problem}"))?;
    let described = describe(runtime, &unit, &shown).await;
    let description = described.map_err(|problem| format!("{shown} {problem}"))?;
    let options = options.get(&*description.name).cloned().unwrap_or_default();
    let mut facts = facts(runtime, Arc::clone(&description.name));
    facts.settings = options.settings;
    facts.queues = description.queues.iter().map(|queue| Arc::clone(&queue.name)).collect();
    facts.indexes = description.indexes.clone();
    let plugin = Plugin {
        runtime: runtime.clone(),
        unit,
        instances: Instances::new(options.pool),
        facts: Arc::new(facts),
        description,
        digest,
        file: file.to_owned(),
    };
    try_out(&plugin, carried).await.map_err(|problem| format!("{shown} {problem}"))?;
    Ok(plugin)
}

/// Makes the calls of the vectors that a component carries.
async fn try_out(plugin: &Plugin, carried: Result<Option<Vec<u8>>, VectorError>) -> Result<(), String> {
    let unusable = |error: VectorError| format!("carries vectors that cannot be used: {error}; carry others, or none");
    let Some(json) = carried.map_err(unusable)? else { return Ok(()) };
    let vectors = Vector::read_list(&json).map_err(unusable)?;
    match Box::pin(vectors::run(plugin, &vectors)).await.failed() {
        None => Ok(()),
        Some(failed) => {
            let where_it_differs = failed.differences.first().map(ToString::to_string).unwrap_or_default();
            let where_it_differs = where_it_differs.split_whitespace().collect::<Vec<_>>().join(" ");
            Err(format!(
                "fails its own vector `{}`: {where_it_differs:.400}; mend the plugin or the vector (`dragoman plugin test`)",
                failed.name
            ))
        }
    }
}

fn check_header(wasm: &[u8]) -> Result<(), String> {
    if wasm.get(..4) != Some(MAGIC) {
        return Err(format!("is not WebAssembly: its first bytes are not those of a .wasm file; {HOW_TO_BUILD}"));
    }
    match wasm.get(4..8) {
        Some(layer) if layer == COMPONENT_LAYER => Ok(()),
        Some(layer) if layer == MODULE_LAYER => {
            Err(format!("is a core WebAssembly module, not a component; {HOW_TO_BUILD}"))
        }
        _ => Err(format!("is neither a component nor a module of a known version; {HOW_TO_BUILD}")),
    }
}

/// Compiles and links. Blocks for as long as compiling takes.
fn compile(runtime: &Runtime, digest: &str, wasm: &[u8]) -> Result<Unit, String> {
    let shared = &runtime.0;
    let component = cache::compile(&shared.engine, shared.options.cache_dir.as_deref(), digest, wasm)
        .map_err(|error| format!("is not a valid component: {}; copy it again, or rebuild it", error.root_cause()))?;
    check_names(runtime, &component)?;
    let unit = Unit::link(&shared.linker, &component).map_err(|error| {
        format!(
            "does not fit {CONTRACT}@{CONTRACT_VERSION}: {}; rebuild it with the `wit/` folder of this gateway",
            sentence(&error)
        )
    })?;
    if unit.roles().is_empty() {
        return Err(format!(
            "exports `plugin` of {CONTRACT}@{CONTRACT_VERSION} but no role; export at least one, e.g. `northbound` or \
             `handler`"
        ));
    }
    Ok(unit)
}

/// The common misfits, worded better than the linker does.
fn check_names(runtime: &Runtime, component: &Component) -> Result<(), String> {
    let engine = &runtime.0.engine;
    let kind = component.component_type();
    let own = format!("{CONTRACT}/");
    let version = format!("@{CONTRACT_VERSION}");
    for (name, _) in kind.imports(engine) {
        if name.starts_with(&own) && !name.ends_with(&version) {
            return Err(format!(
                "needs `{name}`, but this gateway has {CONTRACT}@{CONTRACT_VERSION}; rebuild it with the `wit/` folder \
                 of this gateway"
            ));
        }
        if !name.starts_with(&own) && !name.starts_with("wasi:") {
            return Err(format!(
                "needs `{name}`, which this gateway does not offer; use only what `{CONTRACT}@{CONTRACT_VERSION}` and \
                 WASI 0.2 import"
            ));
        }
    }
    let plugin = format!("{own}plugin");
    let exported = kind.exports(engine).map(|(name, _)| name.to_owned()).find(|name| name.starts_with(&plugin));
    match exported {
        Some(name) if name.ends_with(&version) => Ok(()),
        Some(name) => Err(format!(
            "exports `{name}`, but this gateway has {CONTRACT}@{CONTRACT_VERSION}; rebuild it with the `wit/` folder of \
             this gateway"
        )),
        None => {
            Err(format!("does not export `{plugin}{version}`; export it: it tells the plugin's name and its claims"))
        }
    }
}

/// Instantiates once: checks the types of all functions, and asks the plugin who it is.
async fn describe(runtime: &Runtime, unit: &Unit, file: &str) -> Result<Description, String> {
    let facts = Arc::new(facts(runtime, file.into()));
    let call = || Call::new(facts, Export::Describe, None, About::default());
    let failed = |fault: Fault| match fault {
        Fault::Busy(text) => format!("could not be tried: {text}; it is tried again at the next look at the folder"),
        Fault::DoesNotFit(text) => {
            format!(
                "does not fit {CONTRACT}@{CONTRACT_VERSION}: {text}; rebuild it with the `wit/` folder of this gateway"
            )
        }
        Fault::Memory { limit_bytes } => format!(
            "needs more than {limit_bytes} bytes of memory to start; raise the memory limit of plugins or make it smaller"
        ),
        other => format!("failed in `plugin.describe`: {other}; mend `describe`, which must answer from constants"),
    };
    let lease = Instances::Fresh.lease(runtime, unit, call).await.map_err(failed)?;
    let mut active = crate::call::Active(lease);
    let deadline = active.deadline();
    let (store, instance) = active.store();
    unit.check_types(store, &instance).map_err(|error| {
        format!(
            "does not fit {CONTRACT}@{CONTRACT_VERSION}: {}; rebuild it with the `wit/` folder of this gateway",
            sentence(&error)
        )
    })?;
    let result = deadline.run(async { unit.plugin.load(&mut *store, &instance)?.call_describe(store).await }).await;
    let described = active.returned(result).map_err(failed)?;
    let description = convert::description(described)?;
    if let Some(problem) = description.problem(unit.roles()) {
        return Err(problem);
    }
    let schema = runtime.0.bounds.json_option("its settings schema", description.settings_schema.as_deref());
    schema.map_err(|fault| format!("describes settings, but {fault}; mend the schema"))?;
    Ok(description)
}

fn facts(runtime: &Runtime, name: Arc<str>) -> Facts {
    Facts {
        name,
        settings: "{}".into(),
        queues: Vec::new(),
        indexes: Vec::new(),
        options: Arc::clone(&runtime.0.options),
        bounds: runtime.0.bounds,
        memory_bytes: AtomicUsize::new(0),
    }
}

/// All that an error says, on one line.
fn sentence(error: &wasmtime::Error) -> String {
    let parts: Vec<_> = error.chain().map(ToString::to_string).collect();
    parts.join(": ").split_whitespace().collect::<Vec<_>>().join(" ")
}
