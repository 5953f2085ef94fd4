//! Plugins that mean harm, each with the exact outcome, beside one that works.

mod bytes;
mod calls;
mod corrupt;
mod files;
mod places;

use crate::guests;
use crate::host::FakeHost;
use crate::world::{INSTANCES, call};
use dragoman_core::{Intent, Invocation};
use dragoman_wasm::{CallContext, Catalog, LoadStep, Plugin, PluginFolder, Runtime, RuntimeOptions};
use std::collections::BTreeMap;
use std::sync::Arc;
use tempfile::TempDir;

/// A folder of hostile plugins and one that works, as the gateway finds it when it starts.
struct Den {
    runtime: Runtime,
    folder: PluginFolder,
    host: Arc<FakeHost>,
    _dir: TempDir,
}

/// The name of the plugin with that number.
fn name(number: usize) -> String {
    format!("hostile-{number}")
}

/// Its file.
fn file(number: usize) -> String {
    format!("hostile-{number:03}.wasm")
}

/// A guest with that number that does a deed in that place.
fn guest(number: usize, place: &str, deed: &str) -> Vec<u8> {
    guests::hostile(&[("name", &name(number)), ("place", place), ("deed", deed)])
}

impl Den {
    /// With those files, by their names. The plugin that works comes last.
    async fn of(options: RuntimeOptions, files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        let good = [("z-good.wasm".to_owned(), guests::stepper())];
        Self::holding(Runtime::new(options).unwrap(), files.into_iter().chain(good)).await
    }

    /// With those files and nothing else.
    async fn holding(runtime: Runtime, files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (file, wasm) in files {
            std::fs::write(dir.path().join(file), wasm).unwrap();
        }
        let folder = PluginFolder::open(runtime.clone(), dir.path(), BTreeMap::new()).await.unwrap();
        Self { runtime, folder, host: FakeHost::new(), _dir: dir }
    }

    fn catalog(&self) -> Arc<Catalog> {
        self.folder.catalog()
    }

    fn plugin(&self, name: &str) -> Arc<Plugin> {
        let catalog = self.catalog();
        let plugin = catalog.get(name).unwrap_or_else(|| panic!("{name} does not serve: {:?}", catalog.refused));
        Arc::clone(plugin)
    }

    /// The step that a file failed and why, without the name of the file.
    fn refused(&self, file: &str) -> Option<(LoadStep, String)> {
        let catalog = self.catalog();
        let refused = catalog.refused.iter().find(|refused| refused.file.ends_with(file))?;
        let reason = refused.reason.strip_prefix(file).unwrap_or_else(|| panic!("{}", refused.reason));
        Some((refused.step, reason.trim_start().to_owned()))
    }

    fn call(&self) -> CallContext {
        call(&self.host)
    }

    /// No slot is lost, and the plugin that works does.
    async fn is_unharmed(&self) {
        assert_eq!(self.runtime.instances_free(), INSTANCES as usize);
        let open = Intent::Invoke(Invocation { service: None, action: "open".into(), params: "{}".into() });
        let good = self.plugin("stepper");
        good.handler_start(self.call(), &crate::host::device("d1", 1), &open).await.unwrap();
        assert_eq!(self.runtime.instances_free(), INSTANCES as usize);
    }
}
