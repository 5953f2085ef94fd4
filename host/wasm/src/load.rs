//! From a file to a plugin, or to one sentence that names the file, what is missing and what would mend it.
//!
//! The steps stand in [`load`], one line each. [`fits`] looks at a component before any of it runs: its imports and
//! exports against the contract. [`admit`] looks at what it says of itself, and is the first place that knows its name:
//! what the configuration allows or asks of a plugin by name is checked there. Whatever tries its functions out comes
//! behind that, before the plugin is handed back.

use crate::access::Export;
use crate::cache::{self, Found};
use crate::compiler::{self, CompileError};
use crate::convert;
use crate::description::Description;
use crate::error::Fault;
use crate::grants;
use crate::instances::Instances;
use crate::options::PluginOptions;
use crate::plugin::Plugin;
use crate::quarantine::Quarantine;
use crate::refusal::{Again, LoadStep, Refusal};
use crate::runtime::Runtime;
use crate::state::{About, Call, Facts};
use crate::unit::{CONTRACT, CONTRACT_VERSION, Unit};
use crate::vectors::{self, Vector, VectorError};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use wasmtime::Engine;
use wasmtime::component::Component;

/// First bytes of every WebAssembly file, then of a component, then of a module.
pub(crate) const MAGIC: &[u8] = b"\0asm";
pub(crate) const COMPONENT_LAYER: &[u8] = &[0x0d, 0, 1, 0];
pub(crate) const MODULE_LAYER: &[u8] = &[1, 0, 0, 0];
const HOW_TO_BUILD: &str = "build it with `cargo build --release --target wasm32-wasip2`, or with the tool of its \
                            language that makes components";

/// Loads one file. Nothing serves by that yet.
pub(crate) async fn load(
    runtime: &Runtime,
    file: &Path,
    wasm: &Arc<[u8]>,
    digest: String,
    options: &BTreeMap<String, PluginOptions>,
) -> Result<Plugin, Refusal> {
    let shown = crate::files::shown(file);
    let refused = |step: LoadStep| {
        let shown = &shown;
        move |problem: String| Refusal::new(step, format!("{shown} {problem}"))
    };
    check_header(wasm).map_err(refused(LoadStep::Component))?;
    let component = compile_aside(runtime, &digest, wasm).await.map_err(|uncompiled| match uncompiled {
        Uncompiled::Never(problem) => refused(LoadStep::Component)(problem),
        Uncompiled::Now(problem) => {
            let again = format!("{problem}; it is tried again every few seconds");
            refused(LoadStep::Component)(again).again(Again::Later)
        }
    })?;
    let unit = fits(runtime, &component).map_err(refused(LoadStep::Contract))?;
    let description = describe(runtime, &unit, &shown).await?;
    admit(runtime, &unit, &description).map_err(refused(LoadStep::Describe))?;
    let options = options.get(&*description.name).cloned().unwrap_or_default();
    let granted = options.grants.as_ref().unwrap_or(&runtime.0.options.grants);
    if let Some(problem) = grants::missing(&description.name, &unit.needs, granted) {
        return Err(refused(LoadStep::Grants)(problem));
    }
    let quarantine = Quarantine::new(Arc::clone(&description.name), runtime.0.options.quarantine);
    let mut facts = facts(runtime, Arc::clone(&description.name));
    facts.settings = options.settings;
    facts.queues = description.queues.iter().map(|queue| Arc::clone(&queue.name)).collect();
    facts.indexes = description.indexes.clone();
    let plugin = Plugin {
        runtime: runtime.clone(),
        unit,
        instances: Instances::new(runtime, &description.name, options.pool),
        facts: Arc::new(facts),
        description,
        digest,
        file: file.to_owned(),
        quarantine,
    };
    try_out(&plugin, wasm, &shown).await?;
    Ok(plugin)
}

/// Makes the calls of the vectors that a component carries.
async fn try_out(plugin: &Plugin, wasm: &[u8], file: &str) -> Result<(), Refusal> {
    let refused = |problem: &str| Refusal::new(LoadStep::Vectors, format!("{file} {problem}"));
    let unusable =
        |error: VectorError| refused(&format!("carries vectors that cannot be used: {error}; carry others, or none"));
    let Some(json) = vectors::carried(wasm).map_err(unusable)? else { return Ok(()) };
    let vectors = Vector::read_list(json).map_err(unusable)?;
    let report = Box::pin(vectors::run(plugin, &vectors)).await;
    let Some(failed) = report.failed() else { return Ok(()) };
    let name = &failed.name;
    if failed.was_busy() {
        return Err(refused(&format!(
            "could not be tried on its vector `{name}`: too many calls wait; it is tried again at the next look at the folder"
        ))
        .again(Again::Soon));
    }
    let where_it_differs = failed.differences.first().map(ToString::to_string).unwrap_or_default();
    let where_it_differs = where_it_differs.split_whitespace().collect::<Vec<_>>().join(" ");
    Err(refused(&format!(
        "fails its own vector `{name}`: {where_it_differs:.400}; mend the plugin or the vector (`dragoman plugin test`)"
    )))
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

/// Why a file is not compiled, as the end of a sentence about it.
enum Uncompiled {
    /// It will not be, as it is.
    Never(String),
    /// The compiler could not do its work.
    Now(String),
}

/// Compiles off the async threads, in a process of its own where there is one. The caller has one component compiled at a
/// time.
async fn compile_aside(runtime: &Runtime, digest: &str, wasm: &Arc<[u8]>) -> Result<Component, Uncompiled> {
    let options = &runtime.0.options;
    let not_valid = |error: &dyn Display| {
        Uncompiled::Never(format!("is not a valid component: {error}; copy it again, or rebuild it"))
    };
    let digest: Arc<str> = digest.into();
    let limits = compiler::limits(options);
    match aside(runtime, &digest, move |engine, cache, digest| cache::find(engine, cache, digest, &limits)).await? {
        Some(Found::Code(component)) => return Ok(component),
        Some(Found::TooDear(problem)) => return Err(Uncompiled::Never(problem)),
        None => {}
    }
    let compiled = match &options.compiler {
        None => {
            let wasm = Arc::clone(wasm);
            aside(runtime, &digest, move |engine, cache, digest| cache::compile(engine, cache, digest, &wasm)).await?
        }
        Some(command) => match compiler::run(options, command, wasm).await {
            Ok(code) => {
                aside(runtime, &digest, move |engine, cache, digest| cache::take(engine, cache, digest, &code)).await?
            }
            Err(CompileError::NotValid(problem)) => return Err(not_valid(&problem)),
            Err(CompileError::Failed(problem)) => return Err(Uncompiled::Now(problem)),
            Err(CompileError::TooDear(problem)) => {
                let (limits, said) = (compiler::limits(options), problem.clone());
                aside(runtime, &digest, move |engine, cache, digest| {
                    cache::refuse(engine, cache, digest, &limits, &said);
                })
                .await?;
                return Err(Uncompiled::Never(problem));
            }
        },
    };
    compiled.map_err(|error| not_valid(&error.root_cause()))
}

/// Does something with the engine and the cache off the async threads.
async fn aside<T: Send + 'static>(
    runtime: &Runtime,
    digest: &Arc<str>,
    work: impl FnOnce(&Engine, Option<&Path>, &str) -> T + Send + 'static,
) -> Result<T, Uncompiled> {
    let (runtime, digest) = (runtime.clone(), Arc::clone(digest));
    let done = tokio::task::spawn_blocking(move || {
        let shared = &runtime.0;
        work(&shared.engine, shared.options.cache_dir.as_deref(), &digest)
    });
    done.await.map_err(|error| Uncompiled::Never(format!("could not be compiled: {error}; rebuild it")))
}

/// Whether what a component imports and exports is what the contract has.
fn fits(runtime: &Runtime, component: &Component) -> Result<Unit, String> {
    check_names(runtime, component)?;
    let unit = Unit::link(&runtime.0.linker, component).map_err(|error| does_not_fit(&sentence(&error)))?;
    if unit.roles().is_empty() {
        return Err(format!(
            "exports `plugin` of {CONTRACT}@{CONTRACT_VERSION} but no role; export at least one, e.g. `northbound` or \
             `handler`"
        ));
    }
    Ok(unit)
}

/// Whether a plugin may be what it describes.
fn admit(runtime: &Runtime, unit: &Unit, description: &Description) -> Result<(), String> {
    if let Some(problem) = description.problem(unit.roles()) {
        return Err(problem);
    }
    let schema = runtime.0.bounds.json_option("its settings schema", description.settings_schema.as_deref());
    schema.map_err(|fault| format!("describes settings, but {fault}; mend the schema"))
}

fn does_not_fit(what: &str) -> String {
    format!("does not fit {CONTRACT}@{CONTRACT_VERSION}: {what}; rebuild it with the `wit/` folder of this gateway")
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
async fn describe(runtime: &Runtime, unit: &Unit, file: &str) -> Result<Description, Refusal> {
    let facts = Arc::new(facts(runtime, file.into()));
    let call = || Call::new(facts, Export::Describe, None, About::default());
    let refused = |problem: &str| Refusal::new(LoadStep::Describe, format!("{file} {problem}"));
    let failed = |fault: Fault| match fault {
        Fault::Busy(text) => {
            refused(&format!("could not be tried: {text}; it is tried again at the next look at the folder"))
                .again(Again::Soon)
        }
        Fault::DoesNotFit(text) => refused(&does_not_fit(&text)),
        Fault::Memory { limit_bytes } => refused(&format!(
            "needs more than {limit_bytes} bytes of memory to start; raise the memory limit of plugins or make it smaller"
        )),
        other => {
            refused(&format!("failed in `plugin.describe`: {other}; mend `describe`, which must answer from constants"))
        }
    };
    let lease = Instances::new(runtime, &file.into(), None).lease(runtime, unit, call).await.map_err(failed)?;
    let mut active = crate::call::Active(lease);
    let deadline = active.deadline();
    let live = active.live();
    let contract = |problem: String| Refusal::new(LoadStep::Contract, format!("{file} {problem}"));
    let checked = unit.check_types(&mut live.store, &live.instance);
    checked.map_err(|error| contract(does_not_fit(&sentence(&error))))?;
    let result = deadline
        .run(async { unit.plugin.load(&mut live.store, &live.instance)?.call_describe(&mut live.store).await })
        .await;
    let described = active.returned(result).map_err(failed)?;
    convert::description(described).map_err(|problem| refused(&problem))
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
