//! What stands in the folder serves, or is refused with a sentence that helps.

use crate::guests::{scripted, stepper, with};
use crate::world::{World, patient, world};
use dragoman_wasm::{Catalog, PluginFolder, PluginOptions, Runtime, Side};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

const OTHER_NAME: (&str, &str) = ("scripted", "secondly");

/// Another plugin than `scripted`, with claims of its own.
fn second() -> Vec<u8> {
    // Replaces the name, the route and the topic at once: each of them begins with it.
    with(scripted(), &[OTHER_NAME])
}

fn refused(catalog: &Catalog) -> Vec<(String, String)> {
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    catalog.refused.iter().map(|one| (name(&one.file), one.reason.clone())).collect()
}

fn serving(catalog: &Catalog) -> Vec<(String, String)> {
    catalog.plugins.values().map(|plugin| (plugin.name().to_string(), plugin.version().to_owned())).collect()
}

fn serves(catalog: &Catalog, expected: &[(&str, &str)]) {
    let expected: Vec<_> = expected.iter().map(|(name, version)| (name.to_string(), version.to_string())).collect();
    assert_eq!(serving(catalog), expected);
}

impl World {
    async fn put(&self, file: &str, wasm: &[u8]) -> Arc<Catalog> {
        std::fs::write(self.path(file), wasm).unwrap();
        self.folder.rescan().await;
        self.folder.catalog()
    }

    async fn remove(&self, file: &str) -> Arc<Catalog> {
        std::fs::remove_file(self.path(file)).unwrap();
        self.folder.rescan().await;
        self.folder.catalog()
    }
}

#[tokio::test]
async fn a_file_that_does_not_fit_is_refused_with_what_would_mend_it() {
    let dir = tempfile::tempdir().unwrap();
    let good = scripted();
    let build = "build it with `cargo build --release --target wasm32-wasip2`, or with the tool of its language that \
                 makes components";
    let rebuild = "rebuild it with the `wit/` folder of this gateway";
    let version = |from: &'static str, to: &'static str| with(scripted(), &[(from, to)]);
    let cases: Vec<(&str, Vec<u8>, String)> = vec![
        ("a-text.wasm", b"hello".to_vec(), format!("is not WebAssembly: its first bytes are not those of a .wasm file; {build}")),
        ("b-module.wasm", b"\0asm\x01\0\0\0".to_vec(), format!("is a core WebAssembly module, not a component; {build}")),
        ("c-future.wasm", b"\0asm\x99\0\x01\0".to_vec(), format!("is neither a component nor a module of a known version; {build}")),
        ("d-empty.wasm", Vec::new(), format!("is not WebAssembly: its first bytes are not those of a .wasm file; {build}")),
        ("e-cut-off.wasm", good[..good.len() / 2].to_vec(), "is not a valid component: ".into()),
        (
            "f-later.wasm",
            version("@0.1.0-draft", "@0.2.0-draft"),
            "dragoman:gateway@0.1.0-draft; rebuild it with the `wit/` folder of this gateway".into(),
        ),
        (
            "g-no-plugin.wasm",
            version("gateway/plugin@", "gateway/plagin@"),
            "does not export `dragoman:gateway/plugin@0.1.0-draft`; export it: it tells the plugin's name and its claims".into(),
        ),
        (
            "h-foreign.wasm",
            version("dragoman:gateway/credentials@", "acme:gatewaymore/credentials@"),
            "needs `acme:gatewaymore/credentials@0.1.0-draft`, which this gateway does not offer".into(),
        ),
        (
            "i-no-role.wasm",
            with(
                stepper(),
                &[("gateway/handler@", "gateway/handles@"), ("gateway/decoder@", "gateway/decodes@")],
            ),
            "exports `plugin` of dragoman:gateway@0.1.0-draft but no role; export at least one, e.g. \
             `northbound` or `handler`"
                .into(),
        ),
        (
            "j-lost-function.wasm",
            version("handle-request", "handle-requesu"),
            format!("does not fit dragoman:gateway@0.1.0-draft: instance export `dragoman:gateway/northbound@0.1.0-draft` \
                     does not have export `handle-request`; {rebuild}"),
        ),
        (
            "k-bad-name.wasm",
            version("scripted", "Scripted"),
            "describes itself as `Scripted`; a name is a lower-case letter and up to 63 letters, digits and dashes".into(),
        ),
        (
            "l-bad-route.wasm",
            version("POST /scripted/{what}", "POST /scripted/{w.at}"),
            "claims the route `POST /scripted/{w.at}`, but `{w.at}` must be letters, digits or `_` in braces".into(),
        ),
        (
            "m-bad-topic.wasm",
            version("scripted/+/up", "scripted/#/up"),
            "claims the device topic `scripted/#/up`, but # stands at the end of a filter only".into(),
        ),
        (
            "n-trapping.wasm",
            version("scripted", "trapping"),
            "failed in `plugin.describe`: wasm trap: wasm `unreachable` instruction executed; it said: ".into(),
        ),
        (
            "o-importer.wasm",
            version("scripted", "importer"),
            format!("does not fit dragoman:gateway@0.1.0-draft: it called `host.new-id`, which is not allowed there; {rebuild}"),
        ),
        (
            "oa-bad-application-topic.wasm",
            version("apps/scripted/#", "apps/script#d/#"),
            "claims the application topic `apps/script#d/#`, but ".into(),
        ),
        (
            "ob-half-a-role.wasm",
            version("on-transitions", "on-transitionz"),
            format!("does not fit dragoman:gateway@0.1.0-draft: instance export \
                     `dragoman:gateway/notifications@0.1.0-draft` does not have export `on-transitions`; {rebuild}"),
        ),
        (
            "oc-untold.wasm",
            version("gateway/notifications@", "gateway/notificationz@"),
            "describes what it wants to be told but does not export `notifications`; export it or drop the attributes"
                .into(),
        ),
        (
            "od-window.wasm",
            version("acme.own-attributes=anything-at-all", "device.window=later                "),
            "describes the attribute `device.window` as `later`, but it must be `accepted`, `sent`, `acked` or `ended`"
                .into(),
        ),
        (
            "p-compiled.cwasm",
            good.clone(),
            "is compiled code, which is never loaded from here; drop the .wasm it was made from".into(),
        ),
    ];
    for (file, wasm, _) in &cases {
        std::fs::write(dir.path().join(file), wasm).unwrap();
    }
    std::fs::write(dir.path().join("notes.txt"), "not a plugin").unwrap();
    std::fs::write(dir.path().join(".hidden.wasm"), "not a plugin").unwrap();
    std::fs::create_dir(dir.path().join("folder.wasm")).unwrap();
    std::fs::write(dir.path().join("z-good.wasm"), &good).unwrap();
    let runtime = Runtime::new(patient()).unwrap();
    let folder = PluginFolder::open(runtime, dir.path(), BTreeMap::new()).await.unwrap();
    let catalog = folder.catalog();
    serves(&catalog, &[("scripted", "version-one")]);
    let refused = refused(&catalog);
    let files: Vec<_> = refused.iter().map(|(file, _)| file.as_str()).collect();
    assert_eq!(files, cases.iter().map(|(file, ..)| *file).collect::<Vec<_>>());
    for ((file, reason), (_, _, expected)) in refused.iter().zip(&cases) {
        assert!(
            reason.starts_with(&format!("{file} ")) && reason.contains(expected.as_str()),
            "{file}:\n{reason}\n{expected}"
        );
    }
}

#[tokio::test]
async fn a_description_without_end_is_stopped() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.wasm"), with(scripted(), &[("scripted", "spinning")])).unwrap();
    let options = dragoman_wasm::RuntimeOptions { load_deadline_ms: 300, ..patient() };
    let folder = PluginFolder::open(Runtime::new(options).unwrap(), dir.path(), BTreeMap::new()).await.unwrap();
    assert_eq!(
        refused(&folder.catalog())[0].1,
        "a.wasm failed in `plugin.describe`: did not return within 300 ms; mend `describe`, which must answer from constants"
    );
}

#[tokio::test]
async fn a_new_version_replaces_the_old_one_and_a_bad_one_does_not() {
    let world = world(patient(), PluginOptions::default()).await;
    let old = Arc::clone(&world.plugin);
    let newer = with(scripted(), &[("version-one", "version-two")]);
    let catalog = world.put("scripted.wasm", &newer).await;
    serves(&catalog, &[("scripted", "version-two")]);
    assert_ne!(catalog.get("scripted").unwrap().digest(), old.digest());

    for bad in [&b"hello"[..], &newer[..1000], &with(newer.clone(), &[("handle-request", "handle-requesu")])] {
        let catalog = world.put("scripted.wasm", bad).await;
        serves(&catalog, &[("scripted", "version-two")]);
        let [(_, reason)] = refused(&catalog).try_into().unwrap();
        assert!(reason.ends_with("(version version-two still serves)"), "{reason}");
        world.says("now").await;
    }
    let catalog = world.put("scripted.wasm", &scripted()).await;
    serves(&catalog, &[("scripted", "version-one")]);
    assert_eq!(catalog.refused, []);

    let catalog = world.remove("scripted.wasm").await;
    serves(&catalog, &[]);
    // Whoever holds a version goes on with it.
    assert_eq!(old.handle_request(world.call(), &crate::world::request("now")).await.unwrap().writes, []);
}

#[tokio::test]
async fn a_look_that_finds_nothing_new_changes_nothing() {
    let world = world(patient(), PluginOptions::default()).await;
    let before = world.folder.catalog();
    let changes = world.folder.subscribe();
    world.folder.rescan().await;
    assert!(Arc::ptr_eq(&before, &world.folder.catalog()));
    // The same contents under a new time are the same version.
    let catalog = world.put("scripted.wasm", &scripted()).await;
    assert!(Arc::ptr_eq(&before, &catalog));
    assert!(!changes.has_changed().unwrap());
}

#[tokio::test]
async fn of_two_that_want_the_same_the_first_serves_until_it_goes() {
    let world = world(patient(), PluginOptions::default()).await;
    for (file, wasm, reason) in [
        (
            "a-name.wasm",
            with(scripted(), &[("version-one", "version-two")]),
            "a-name.wasm describes itself as `scripted`, as scripted.wasm does, which was loaded first; rename one of \
             them or remove one of the files",
        ),
        (
            "b-route.wasm",
            with(second(), &[("POST /secondly/{what}", "POST /scripted/there!"), ("secondly/+/up", "secondly/+/ip")]),
            "b-route.wasm (plugin `secondly`) claims the route `POST /scripted/there!`, which `POST /scripted/{what}` \
             overlaps of plugin `scripted` in scripted.wasm, which was loaded first; take the claim out of one of them \
             or remove one of the files",
        ),
        (
            "c-topic.wasm",
            with(second(), &[("secondly/+/up", "scripted/up/#")]),
            "c-topic.wasm (plugin `secondly`) claims the device topic `scripted/up/#`, which `scripted/+/up` overlaps of \
             plugin `scripted` in scripted.wasm, which was loaded first; take the claim out of one of them or remove \
             one of the files",
        ),
        (
            "d-application-topic.wasm",
            with(second(), &[("apps/secondly/#", "apps/scripted/x")]),
            "d-application-topic.wasm (plugin `secondly`) claims the application topic `apps/scripted/x`, which \
             `apps/scripted/#` overlaps of plugin `scripted` in scripted.wasm, which was loaded first; take the claim out \
             of one of them or remove one of the files",
        ),
        (
            "e-device-topic.wasm",
            with(second(), &[("secondly/+/up", "apps/scripted")]),
            "e-device-topic.wasm (plugin `secondly`) claims the device topic `apps/scripted`, which `apps/scripted/#` \
             overlaps of plugin `scripted` in scripted.wasm, which was loaded first; take the claim out of one of them \
             or remove one of the files",
        ),
        (
            "f-both.wasm",
            with(second(), &[("apps/secondly/#", "scripted/xxx/up")]),
            "f-both.wasm (plugin `secondly`) claims the application topic `scripted/xxx/up`, which `scripted/+/up` \
             overlaps of plugin `scripted` in scripted.wasm, which was loaded first; take the claim out of one of them \
             or remove one of the files",
        ),
    ] {
        let catalog = world.put(file, &wasm).await;
        serves(&catalog, &[("scripted", "version-one")]);
        assert_eq!(refused(&catalog), [(file.to_owned(), reason.to_owned())]);
        world.remove(file).await;
    }
    let catalog = world.put("a.wasm", &with(scripted(), &[("version-one", "version-two")])).await;
    serves(&catalog, &[("scripted", "version-one")]);
    let catalog = world.remove("scripted.wasm").await;
    serves(&catalog, &[("scripted", "version-two")]);
    assert_eq!(catalog.refused, []);
}

#[tokio::test]
async fn requests_and_topics_find_their_plugin() {
    let world = world(patient(), PluginOptions::default()).await;
    let catalog = world.put("second.wasm", &second()).await;
    let name = |plugin: Option<&Arc<dragoman_wasm::Plugin>>| plugin.map(|plugin| plugin.name().to_string());
    let reader = |topic| catalog.reader(topic, None).map(|(side, plugin)| (side, plugin.name().to_string()));
    assert_eq!(name(catalog.route("POST", "/scripted/a")), Some("scripted".into()));
    assert_eq!(name(catalog.route("POST", "/secondly/a")), Some("secondly".into()));
    assert_eq!(name(catalog.route("GET", "/scripted/a")), None);
    assert_eq!(name(catalog.route("POST", "/scripted/a/b")), None);
    assert_eq!(reader("scripted/d1/up"), Some((Side::Device, "scripted".into())));
    assert_eq!(reader("scripted/d1/down"), None);
}
