//! What a hostile file is refused for, and at which step.

use super::bytes::{self, with_custom, with_instances};
use super::{Den, file, guest, name};
use crate::guests::{self, stepper, variant, with};
use crate::world::patient;
use dragoman_wasm::{LoadStep, RuntimeOptions};
use wasm_encoder::Instruction;

const TIME_MS: u64 = 1500;
const DESCRIBE: &str = "plugin.describe";
/// Before the first export of an instance is called.
const BEFORE: &str = "start";

/// Loads the files and compares the step that each fails, and what the reason says.
async fn refuse(options: RuntimeOptions, files: Vec<(&str, Vec<u8>, LoadStep, &str)>) {
    let written = files.iter().enumerate().map(|(number, (_, wasm, ..))| (file(number), wasm.clone()));
    let den = Den::of(options, written).await;
    for (number, (what, _, step, reason)) in files.iter().enumerate() {
        let refused = den.refused(&file(number));
        let fits = refused.as_ref().is_some_and(|(failed, why)| failed == step && why.contains(reason));
        assert!(fits, "{what}: {refused:?}");
        assert!(
            !refused.is_some_and(|(_, why)| why.len() > 4096 || why.contains('\n')),
            "{what}: a reason is a sentence"
        );
    }
    assert_eq!(den.catalog().refused.len(), files.len());
    den.is_unharmed().await;
}

#[tokio::test]
async fn who_lies_in_describe_is_refused_for_it() {
    let lie = |number: usize, deed: &str| guest(number, DESCRIBE, deed);
    let named = |name: &str| guests::hostile(&[("name", name)]);
    let claims = |claim: &str| guests::hostile(&[("name", "claimer"), ("claim", claim)]);
    let files = vec![
        ("claims without end", lie(0, "claim-ten-thousand"), "claims too much; at most 256 claims"),
        ("a long claim", lie(1, "long-claim"), "claims a route or topic of 1048581 bytes; at most 512 are allowed"),
        ("a long version", lie(2, "long-version"), "describes a version of 1048576 bytes; a version is one line"),
        ("another line of the log", lie(3, "version-of-two-lines"), "a version is one line of at most 128 bytes"),
        ("orders to a terminal", lie(4, "version-of-a-terminal"), "a version is one line of at most 128 bytes"),
        ("a long summary", lie(5, "long-summary"), "describes a summary of 1048576 bytes; a summary is one line"),
        ("attributes without end", lie(6, "many-attributes"), "10000 attributes of a description, but at most 64"),
        ("a long name", lie(7, "long-name"), "a name is a lower-case letter and up to 63 letters"),
        ("a schema that is none", lie(8, "schema-that-is-none"), "its settings schema is not valid JSON"),
        ("a deep schema", lie(9, "deep-schema"), "its settings schema is nested deeper than 64 levels"),
        ("a stage that is none", lie(10, "bad-stage"), "unexpected discriminant: 9"),
        ("text that is none", lie(11, "bad-text"), "invalid utf-8 sequence of 1 bytes from index 1"),
        ("a path", named("../../etc/passwd"), "describes itself as `../../etc/passwd`; a name is"),
        ("a path of another system", named("..\\acme"), "describes itself as `..\\acme`; a name is"),
        ("a name of two lines", named("a\nb"), "describes itself as `a\\nb`; a name is"),
        ("a label of a metric", named("a\",plugin=\"b"), "describes itself as `a\",plugin=\"b`; a name is"),
        ("a route beside the segments", claims("GET /../{a"), "claims the route `GET /../{a`, but"),
        ("a route with a query", claims("GET /a?b"), "holds a character that no path segment has"),
        ("a topic that is no filter", claims("device:a/#/b"), "but # stands at the end of a filter only"),
        ("an import in describe", lie(12, "import"), "it called `devices.get`, which is not allowed there"),
        ("a log in describe", lie(13, "log-often"), "it called `host.log`, which is not allowed there"),
        ("a panic in describe", lie(14, "panic"), "it said: thread '<unnamed>' (1) panicked"),
        ("an exit in describe", lie(15, "exit"), "failed in `plugin.describe`: it exited with status 1"),
        ("memory in describe", lie(16, "allocate"), "needs more than 67108864 bytes of memory to start"),
        ("a trap before describe", guest(17, BEFORE, "trap"), "wasm `unreachable` instruction executed"),
        (
            "an import before describe",
            guest(18, BEFORE, "import"),
            "it called `devices.get`, which is not allowed there",
        ),
        ("memory before describe", guest(19, BEFORE, "allocate"), "needs more than 67108864 bytes of memory to start"),
        ("an exit before describe", guest(20, BEFORE, "exit"), "it exited with status 1"),
    ];
    refuse(patient(), files.into_iter().map(|(what, wasm, why)| (what, wasm, LoadStep::Describe, why)).collect()).await;
}

#[tokio::test]
async fn who_takes_his_time_to_load_is_not_waited_for() {
    let late = "failed in `plugin.describe`: did not return within 1500 ms";
    let files = vec![
        ("spins in describe", guest(0, DESCRIBE, "spin"), LoadStep::Describe, late),
        ("sleeps in describe", guest(1, DESCRIBE, "sleep"), LoadStep::Describe, late),
        ("spins before describe", guest(2, BEFORE, "spin"), LoadStep::Describe, late),
        (
            "spins in a start function",
            with_instances(stepper(), &bytes::that_starts(&bytes::spin()), 1),
            LoadStep::Describe,
            late,
        ),
    ];
    refuse(RuntimeOptions { load_deadline_ms: TIME_MS, ..patient() }, files).await;
}

#[tokio::test]
async fn a_component_of_strange_parts_is_refused_at_its_step() {
    use LoadStep::{Component, Contract, Describe, File};
    let instances = |module: &wasm_encoder::Module, count| with_instances(stepper(), module, count);
    let starts = |body: &[Instruction<'_>]| instances(&bytes::that_starts(body), 1);
    let with_text = |from: &str, to: &str| with(stepper(), &[(from, to)]);
    let files = vec![
        ("a core module", bytes::with_memory(1).finish(), Component, "is a core WebAssembly module, not a component"),
        ("text", b"hello".to_vec(), Component, "is not WebAssembly"),
        ("nothing", Vec::new(), Component, "is not WebAssembly"),
        (
            "a component of nothing",
            b"\0asm\x0d\0\x01\0".to_vec(),
            Contract,
            "does not export `dragoman:gateway/plugin@",
        ),
        ("more than a file may have", with_custom(stepper(), "x", 1 << 20), File, "but a plugin may have 1000000"),
        ("instances", instances(&bytes::with_table(1), 100), Component, "103 core module instances, which exceeds the"),
        ("memories", instances(&bytes::with_memory(1), 10), Component, "11 Wasm linear memories, which exceeds the"),
        ("tables", instances(&bytes::with_table(1), 30), Component, "32 tables, which exceeds the"),
        ("a memory", instances(&bytes::with_memory(2000), 1), Component, "memory has a minimum byte size of 131072000"),
        (
            "memories that are too large together",
            instances(&bytes::with_memory(600), 2),
            Describe,
            "needs more than 67108864 bytes of memory",
        ),
        ("a table", instances(&bytes::with_table(1_000_000), 1), Component, "minimum element size of 1000000"),
        ("data", instances(&bytes::with_data_beyond_memory(), 1), Describe, "wasm trap: out of bounds memory access"),
        ("a growing table", starts(&bytes::grow_a_table()), Describe, "wasm `unreachable` instruction executed"),
        ("a growing memory", starts(&bytes::grow_a_memory()), Describe, "needs more than 67108864 bytes of memory"),
        (
            "an older contract",
            with_text("@0.1.0-draft", "@0.0.9-draft"),
            Contract,
            "this gateway has dragoman:gateway@0.1.0",
        ),
        (
            "what the contract has not",
            with_text("dragoman:gateway/host@", "acme:gatewaymore/host@"),
            Contract,
            "which this gateway does not offer",
        ),
    ];
    refuse(RuntimeOptions { file_max_bytes: 1_000_000, ..patient() }, files).await;
}

#[tokio::test]
async fn what_belongs_to_another_plugin_is_not_had_by_claiming_it() {
    let good = || (String::from("a-good.wasm"), guests::scripted());
    let claimer =
        |number: usize, claim: &str| (file(number), guests::hostile(&[("name", &name(number)), ("claim", claim)]));
    let files = [
        good(),
        (file(0), guests::hostile(&[("name", "scripted")])),
        claimer(1, "POST /scripted/{what}"),
        claimer(2, "POST /{any}/{thing}"),
        claimer(3, "device:#"),
        claimer(4, "device:scripted/+/up"),
        claimer(5, "application:apps/#"),
    ];
    let den = Den::of(patient(), files).await;
    for (number, reason) in [
        (0, "describes itself as `scripted`, as a-good.wasm does, which was loaded first"),
        (1, "claims the route `POST /scripted/{what}`, which `POST /scripted/{what}` overlaps of plugin `scripted`"),
        (2, "claims the route `POST /{any}/{thing}`, which `POST /scripted/{what}` overlaps of plugin `scripted`"),
        (3, "claims the device topic `#`, which `scripted/+/up` overlaps of plugin `scripted`"),
        (4, "claims the device topic `scripted/+/up`, which `scripted/+/up` overlaps of plugin `scripted`"),
        (5, "claims the application topic `apps/#`, which `apps/scripted/#` overlaps of plugin `scripted`"),
    ] {
        let (step, why) = den.refused(&file(number)).unwrap();
        assert!(step == LoadStep::Claims && why.contains(reason), "{number}: {step:?} {why}");
    }
    let catalog = den.catalog();
    assert_eq!(catalog.plugins.keys().map(|name| &**name).collect::<Vec<_>>(), ["scripted", "stepper"]);
    assert_eq!(&**catalog.route("POST", "/scripted/x").unwrap().name(), "scripted");
}

#[tokio::test]
async fn what_is_only_large_or_strangely_named_serves() {
    let named = |number: u8, name: &str, wasm: Vec<u8>| (name.to_owned(), variant(wasm, number));
    let custom = with_custom(guests::hostile(&[("name", "large")]), "../../etc/passwd", 20 << 20);
    let den = Den::of(
        patient(),
        [
            named(1, "%2e%2e%2fetc.wasm", guests::hostile(&[("name", "encoded")])),
            named(2, "two\nlines.wasm", b"\0asm".to_vec()),
            named(3, "$(reboot);.wasm", guests::hostile(&[("name", "shell")])),
            named(4, "large.wasm", custom),
        ],
    )
    .await;
    let catalog = den.catalog();
    let names: Vec<_> = catalog.plugins.keys().map(|name| &**name).collect();
    assert_eq!(names, ["encoded", "large", "shell", "stepper"], "a name of a file says nothing");
    let [refused] = &*catalog.refused else { panic!("{:?}", catalog.refused) };
    assert!(refused.reason.starts_with("two\\nlines.wasm is neither a component nor a module"), "{}", refused.reason);
    den.is_unharmed().await;
}
