//! Golden vectors: a call of a plugin, what it may read, and what must come of it, as one JSON object.
//!
//! `docs/vectors.md` is the format. [`Vector::read_folder`] and [`Vector::read_list`] read it, [`run`] makes each call
//! on the real runtime, in an instance of its own, with [`world::VectorWorld`] in the place of the gateway's data and no
//! broker, and compares. Data flows one way: [`vocabulary`] and [`records`] read, [`call`] calls, [`answer`] and
//! [`write`] word what came of it, [`compare`] finds what differs.

mod answer;
mod call;
mod carried;
mod compare;
mod given;
mod records;
mod vocabulary;
mod word;
mod world;
mod write;

use crate::plugin::Plugin;
use call::Asked;
use given::Given;
use serde::Deserialize;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

pub(crate) use answer::description;
pub(crate) use carried::carried;
pub use compare::Difference;

/// Size of one file of a vector, and of all vectors that a component carries, in bytes.
const FILE_MAX_BYTES: u64 = 1 << 20;
/// Vectors of one run.
const VECTORS_MAX: usize = 1_000;
/// Time of one run; vectors that come after it fail as not tried.
const RUN_MAX: Duration = Duration::from_secs(60);

/// A call of a plugin, what it may read, and what must come of it.
#[derive(Clone, Debug)]
pub struct Vector {
    name: String,
    file: Option<PathBuf>,
    given: Given,
    asked: Asked,
    output: Option<Value>,
    /// As it was read, so that it can be written again with another output.
    source: Value,
}

/// What every call of a run came to, in the order of the vectors.
#[derive(Clone, Debug)]
pub struct VectorReport {
    /// One for each vector.
    pub tried: Vec<TriedVector>,
}

/// What the call of one vector came to.
#[derive(Clone, Debug)]
pub struct TriedVector {
    /// Of the vector: the name of its file without `.json`, or its member `name`.
    pub name: String,
    /// From the call to its answer, with the making of its instance.
    pub took: Duration,
    /// Linear memory of the instance at the end of the call, in bytes; 0 where there was none.
    pub memory_bytes: usize,
    /// What came of the call, in the words of the member `output`.
    pub actual: Value,
    /// Where that differs from what the vector says; empty: it passed.
    pub differences: Vec<Difference>,
}

/// Why vectors cannot be used, as a sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct VectorError(String);

/// A vector as it stands in a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    /// In an array; a file has its own name.
    #[serde(rename = "name")]
    _name: Option<String>,
    /// For people.
    #[serde(rename = "about")]
    _about: Option<String>,
    call: String,
    #[serde(default)]
    given: Given,
    #[serde(default)]
    input: Value,
    output: Option<Value>,
}

impl Vector {
    /// Every `.json` file of a folder, by name; none is an error, for then nothing would be tried.
    pub fn read_folder(folder: &Path) -> Result<Vec<Self>, VectorError> {
        let failed = |error: std::io::Error| VectorError(format!("{} cannot be read: {error}", folder.display()));
        let mut files = Vec::new();
        for entry in fs::read_dir(folder).map_err(failed)? {
            let file = entry.map_err(failed)?.path();
            if file.extension().is_some_and(|end| end == "json") {
                files.push(file);
            }
        }
        files.sort();
        if files.is_empty() {
            return Err(VectorError(format!("{} holds no vector: no file whose name ends in .json", folder.display())));
        }
        bounded(files.len())?;
        files.into_iter().map(Self::read_file).collect()
    }

    /// The vectors of a JSON array, each with a name.
    pub fn read_list(json: &[u8]) -> Result<Vec<Self>, VectorError> {
        if json.len() as u64 > FILE_MAX_BYTES {
            return Err(VectorError(format!(
                "the vectors have {} bytes, but at most {FILE_MAX_BYTES} are allowed",
                json.len()
            )));
        }
        let sources: Vec<Value> = serde_json::from_slice(json)
            .map_err(|error| VectorError(format!("the vectors are not a JSON array: {error}")))?;
        bounded(sources.len())?;
        let read = |(at, source): (usize, Value)| {
            let name = source.get("name").and_then(Value::as_str).map(str::to_owned);
            let name = name.ok_or_else(|| VectorError(format!("vector {} of the array has no `name`", at + 1)))?;
            Self::read(name, None, source)
        };
        sources.into_iter().enumerate().map(read).collect()
    }

    fn read_file(file: PathBuf) -> Result<Self, VectorError> {
        let failed = |what: String| VectorError(format!("{} {what}", file.display()));
        let bytes = fs::metadata(&file).map_err(|error| failed(format!("cannot be read: {error}")))?.len();
        if bytes > FILE_MAX_BYTES {
            return Err(failed(format!("has {bytes} bytes, but a vector may have {FILE_MAX_BYTES}")));
        }
        let text = fs::read(&file).map_err(|error| failed(format!("cannot be read: {error}")))?;
        let source = serde_json::from_slice(&text).map_err(|error| failed(format!("is not JSON: {error}")))?;
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Self::read(name, Some(file), source)
    }

    fn read(name: String, file: Option<PathBuf>, source: Value) -> Result<Self, VectorError> {
        let failed = |error: serde_json::Error| VectorError(format!("the vector {name} cannot be used: {error}"));
        let written: Written = serde_json::from_value(source.clone()).map_err(failed)?;
        let asked = Asked::read(&written.call, written.input).map_err(failed)?;
        Ok(Self { given: written.given, asked, output: written.output, name, file, source })
    }

    /// The name of its file without `.json`, or its member `name`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The component with these vectors in it, for whoever loads it to try.
    pub fn carried_by(wasm: Vec<u8>, vectors: &[Self]) -> Result<Vec<u8>, VectorError> {
        let named = |vector: &Self| {
            let mut source = vector.source.clone();
            if let Some(object) = source.as_object_mut() {
                object.insert("name".into(), vector.name.as_str().into());
            }
            source
        };
        let list: Value = vectors.iter().map(named).collect();
        carried::carry(wasm, list.to_string().as_bytes())
    }

    /// Writes what came of the call into the vector's file, as what must come of it from now on.
    pub fn bless(&self, actual: &Value) -> Result<(), VectorError> {
        let Some(file) = &self.file else { return Ok(()) };
        let mut source = self.source.clone();
        if let Some(object) = source.as_object_mut() {
            object.insert("output".into(), actual.clone());
        }
        fs::write(file, format!("{source:#}\n"))
            .map_err(|error| VectorError(format!("{} cannot be written: {error}", file.display())))
    }
}

impl VectorReport {
    /// The first that failed.
    pub fn failed(&self) -> Option<&TriedVector> {
        self.tried.iter().find(|tried| !tried.passed())
    }
}

impl TriedVector {
    /// Whether what came of the call is what the vector says.
    pub fn passed(&self) -> bool {
        self.differences.is_empty()
    }

    /// Whether nothing was tried because no instance became free: that says nothing about the plugin.
    pub(crate) fn was_busy(&self) -> bool {
        answer::was_busy(&self.actual)
    }
}

fn bounded(vectors: usize) -> Result<(), VectorError> {
    if vectors > VECTORS_MAX {
        return Err(VectorError(format!("there are {vectors} vectors, but at most {VECTORS_MAX} are allowed")));
    }
    Ok(())
}

/// Makes the call of each vector, one after the other, each in a fresh instance with the vector's own settings. A call
/// may take as long as the first call of a file: what is measured here is what comes of it, and a machine that is busy
/// changes nothing about that.
pub async fn run(plugin: &Plugin, vectors: &[Vector]) -> VectorReport {
    let begin = Instant::now();
    let mut tried = Vec::with_capacity(vectors.len());
    for vector in vectors {
        tried.push(if begin.elapsed() < RUN_MAX { one(plugin, vector).await } else { too_late(vector) });
    }
    VectorReport { tried }
}

async fn one(plugin: &Plugin, vector: &Vector) -> TriedVector {
    let trial = plugin.for_trial(vector.given.settings.to_string());
    let begin = Instant::now();
    let actual = vector.asked.make(&trial, &vector.given).await;
    let took = begin.elapsed();
    let memory_bytes = trial.facts.memory_bytes.load(Ordering::Relaxed);
    let differences = match &vector.output {
        Some(expected) => compare::differences(expected, &actual),
        None => vec![Difference::note("the vector has no `output`; look at this one and write it with --bless")],
    };
    TriedVector { name: vector.name.clone(), took, memory_bytes, actual, differences }
}

fn too_late(vector: &Vector) -> TriedVector {
    let note = format!("not tried: the vectors before it took {} s", RUN_MAX.as_secs());
    TriedVector {
        name: vector.name.clone(),
        took: Duration::ZERO,
        memory_bytes: 0,
        actual: Value::Null,
        differences: vec![Difference::note(note)],
    }
}
