//! One file by itself, outside of any folder: loaded to be tried, or looked at to be shown.

use crate::load::{self, COMPONENT_LAYER, MAGIC, MODULE_LAYER};
use crate::options::PluginOptions;
use crate::plugin::Plugin;
use crate::runtime::{MEMORIES_PER_COMPONENT, Runtime, TABLE_ELEMENTS, TABLES_PER_COMPONENT};
use crate::unit::CONTRACT;
use crate::vectors;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;
use wasmtime::component::Component;
use wasmtime::{Config, Engine, OptLevel};

/// Bytes of a page of linear memory.
const PAGE_BYTES: u64 = 65_536;

/// What a file is, and whether a gateway with the options of the runtime would load it.
#[derive(Clone, Debug, Serialize)]
pub struct Inspection {
    /// `component`, `module` or `unknown`.
    pub kind: &'static str,
    /// SHA-256 of the file, in hex.
    pub digest: String,
    /// Size of the file.
    pub bytes: usize,
    /// Version of the contract that it was built against, where it names one.
    pub contract: Option<String>,
    /// Interfaces that it exports.
    pub exports: Vec<String>,
    /// Interfaces that it imports.
    pub imports: Vec<String>,
    /// What an instance of it is made of.
    pub resources: Option<Resources>,
    /// What `plugin.describe` says, in the words of vectors; none where it does not get as far as that.
    pub describes: Option<Value>,
    /// How many vectors it carries.
    pub vectors: Option<usize>,
    /// Why it would not be loaded, as a sentence.
    pub refused: Option<String>,
}

/// What an instance is made of, and how much of it there may be.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Resources {
    /// Linear memories.
    pub memories: u32,
    /// How many there may be.
    pub memories_max: u32,
    /// What the largest of them begins with, in bytes.
    pub memory_bytes: u64,
    /// What all of them together may grow to.
    pub memory_bytes_max: usize,
    /// Tables.
    pub tables: u32,
    /// How many there may be.
    pub tables_max: u32,
    /// What the largest of them begins with, in elements.
    pub table_elements: u64,
    /// How many elements a table may have.
    pub table_elements_max: usize,
}

impl Runtime {
    /// Loads one file as a folder would, with the options of the plugin's name. The error is a sentence.
    pub async fn load_file(&self, file: &Path, options: &BTreeMap<String, PluginOptions>) -> Result<Plugin, String> {
        let wasm = self.read(file)?;
        self.load(file, wasm, options).await
    }

    /// Looks at one file, and tries to load it. An error only where it cannot be read at all.
    pub async fn inspect(&self, file: &Path, options: &BTreeMap<String, PluginOptions>) -> Result<Inspection, String> {
        let wasm = self.read(file)?;
        let carried = vectors::carried(&wasm);
        let mut inspection = Inspection {
            kind: kind(&wasm),
            digest: digest(&wasm),
            bytes: wasm.len(),
            contract: None,
            exports: Vec::new(),
            imports: Vec::new(),
            resources: None,
            describes: None,
            vectors: carried.ok().flatten().and_then(|json| Some(vectors::Vector::read_list(json).ok()?.len())),
            refused: None,
        };
        match self.load(file, wasm.clone(), options).await {
            Ok(plugin) => {
                inspection.describes = Some(vectors::description(plugin.description()));
                inspection.add(self, &self.0.engine, plugin.unit.pre.component());
            }
            Err(reason) => {
                inspection.refused = Some(reason);
                // What does not fit the gateway's engine is still shown, by one without its limits.
                if let Some((engine, component)) = compile_without_limits(wasm).await {
                    inspection.add(self, &engine, &component);
                }
            }
        }
        Ok(inspection)
    }

    async fn load(
        &self,
        file: &Path,
        wasm: Vec<u8>,
        options: &BTreeMap<String, PluginOptions>,
    ) -> Result<Plugin, String> {
        let digest = digest(&wasm);
        load::load(self, file, &wasm.into(), digest, options).await.map_err(|refusal| refusal.reason)
    }

    fn read(&self, file: &Path) -> Result<Vec<u8>, String> {
        let shown = file.display();
        let failed = |error: std::io::Error| format!("{shown} cannot be read: {error}");
        let (bytes, max) = (std::fs::metadata(file).map_err(failed)?.len(), self.0.options.file_max_bytes);
        if bytes > max {
            return Err(format!("{shown} has {bytes} bytes, but a plugin may have {max}"));
        }
        std::fs::read(file).map_err(failed)
    }
}

impl Inspection {
    fn add(&mut self, runtime: &Runtime, engine: &Engine, component: &Component) {
        let kind = component.component_type();
        self.imports = kind.imports(engine).map(|(name, _)| name.to_owned()).collect();
        self.exports = kind.exports(engine).map(|(name, _)| name.to_owned()).collect();
        let own = self.exports.iter().chain(&self.imports).filter(|name| name.starts_with(CONTRACT));
        self.contract = own.filter_map(|name| name.split_once('@')).map(|(_, version)| version.to_owned()).next();
        self.resources = component.resources_required().map(|required| Resources {
            memories: required.num_memories,
            memories_max: MEMORIES_PER_COMPONENT,
            memory_bytes: required.max_initial_memory_size.unwrap_or(0).saturating_mul(PAGE_BYTES),
            memory_bytes_max: runtime.0.options.memory_max_bytes,
            tables: required.num_tables,
            tables_max: TABLES_PER_COMPONENT,
            table_elements: required.max_initial_table_size.unwrap_or(0),
            table_elements_max: TABLE_ELEMENTS,
        });
    }
}

impl Resources {
    /// What there is more of than there may be, as the middle of a sentence.
    pub fn problem(&self) -> Option<String> {
        let memory_max = u64::try_from(self.memory_bytes_max).unwrap_or(u64::MAX);
        let table_max = u64::try_from(self.table_elements_max).unwrap_or(u64::MAX);
        let counted = [
            ("linear memories", u64::from(self.memories), u64::from(self.memories_max)),
            ("bytes of memory to begin with", self.memory_bytes, memory_max),
            ("tables", u64::from(self.tables), u64::from(self.tables_max)),
            ("elements in a table", self.table_elements, table_max),
        ];
        let over = counted.into_iter().find(|(_, there, max)| there > max);
        over.map(|(what, there, max)| format!("needs {there} {what}, but may have {max}"))
    }
}

fn kind(wasm: &[u8]) -> &'static str {
    match (wasm.get(..4), wasm.get(4..8)) {
        (Some(magic), Some(layer)) if magic == MAGIC && layer == COMPONENT_LAYER => "component",
        (Some(magic), Some(layer)) if magic == MAGIC && layer == MODULE_LAYER => "module",
        _ => "unknown",
    }
}

fn digest(wasm: &[u8]) -> String {
    format!("{:x}", Sha256::digest(wasm))
}

async fn compile_without_limits(wasm: Vec<u8>) -> Option<(Engine, Component)> {
    let compiled = tokio::task::spawn_blocking(move || {
        let engine = Engine::new(Config::new().cranelift_opt_level(OptLevel::None)).ok()?;
        let component = Component::new(&engine, &wasm).ok()?;
        Some((engine, component))
    });
    compiled.await.ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::Resources;

    #[test]
    fn what_there_is_too_much_of_is_named() {
        let fits = Resources {
            memories: 4,
            memories_max: 4,
            memory_bytes: 64 << 20,
            memory_bytes_max: 64 << 20,
            tables: 20,
            tables_max: 20,
            table_elements: 20_000,
            table_elements_max: 20_000,
        };
        assert_eq!(fits.problem(), None);
        for (resources, problem) in [
            (Resources { memories: 5, ..fits }, "needs 5 linear memories, but may have 4"),
            (Resources { tables: 21, ..fits }, "needs 21 tables, but may have 20"),
            (
                Resources { memory_bytes: (64 << 20) + 1, ..fits },
                "needs 67108865 bytes of memory to begin with, but may have 67108864",
            ),
            (Resources { table_elements: 20_001, ..fits }, "needs 20001 elements in a table, but may have 20000"),
        ] {
            assert_eq!(resources.problem().as_deref(), Some(problem));
        }
    }
}
