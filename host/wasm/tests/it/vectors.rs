//! Golden vectors: what a call is given, what comes of it, and that a run tells when it is something else.

use crate::guests;
use crate::world::{open, patient, world};
use dragoman_wasm::{Plugin, PluginFolder, PluginOptions, Runtime, Vector, VectorReport, run_vectors};
use serde_json::{Value, json};
use std::collections::BTreeMap;

async fn tried(plugin: &Plugin, vectors: &Value) -> VectorReport {
    let vectors = Vector::read_list(vectors.to_string().as_bytes()).unwrap();
    run_vectors(plugin, &vectors).await
}

/// The differences of the only vector.
async fn differs(plugin: &Plugin, vector: &Value) -> Vec<String> {
    let report = tried(plugin, &json!([vector])).await;
    report.tried[0].differences.iter().map(ToString::to_string).collect()
}

fn answer(body: &str) -> Value {
    json!({"status": 200, "headers": {"content-type": "text/plain"}, "body": {"text": body}})
}

/// A request that reads what it is given, and writes.
fn request() -> Value {
    json!({
        "name": "request",
        "call": "northbound.handle-request",
        "given": {
            "now_ms": 1_700_000_000_123_u64,
            "settings": {"a": [1]},
            "presented": {"scheme": "basic", "account": "ann", "secret": "right"},
            "credentials": [{"account": "ann", "secret": "right", "rights": {"all": true}}],
        },
        "input": {
            "method": "POST",
            "path": "/scripted/x",
            "headers": {"x": ["1", "2"]},
            "body": {"text": "now\nsettings\ncheck ann\nsubmit d1 alias=a1 ttl=5000 away=fail\nwait 7"},
        },
        "output": {
            "answer": {"wait": {"context": 7, "until": "ended"}},
            "writes": [{"submit": {
                "id": "018bcfe5-687b-7000-89b2-7eb8d300dbb5",
                "device": "d1",
                "intent": {"invoke": {"action": "act", "params": {}}},
                "alias": "a1",
                "ttl_ms": 5000,
                "when_away": "fail",
            }}],
        },
    })
}

#[tokio::test]
async fn what_comes_of_each_call_of_a_dialect_is_compared() {
    let world = world(patient(), PluginOptions::default()).await;
    let execution = json!({
        "id": "e1", "device": "d1", "intent": {"deliver": {"payload": {"text": "done"}}}, "state": "sent", "attempt": 2,
    });
    let session = json!({"id": "s1", "client_id": "d1", "device": "d1", "username": "now"});
    let report = tried(&world.plugin, &json!([
        request(),
        {
            "name": "settled", "call": "northbound.settled",
            "input": {"context": "now", "settlements": [{"refused": {"id": "e9", "reason": {"code": "$AWAY"}}}]},
            "output": {"answer": answer("1700000000000\ne9:$AWAY")},
        },
        {
            "name": "dispatch", "call": "southbound.dispatch",
            "input": {"device": {"id": "d1"}, "execution": execution},
            "output": {"answer": {"done": {"succeeded": {"stored": 1}}}},
        },
        {
            "name": "message", "call": "southbound.handle-message",
            "given": {"executions": [{
                "id": "e1", "device": "d1", "intent": {"read": []}, "state": "sent",
                "correlations": [{"reporter": "d1", "key": "k1"}],
            }]},
            "input": {"session": session, "message": {"topic": "scripted/d1/up", "payload": {"text": "progress d1 k1 {\"p\":1}"}}},
            "output": {"writes": [{"tell": {
                "about": {"reporter": "d1", "key": "k1"}, "report": {"progress": {"p": 1}},
                "attributes": {"a": "b"},
            }}]},
        },
        {
            "name": "connect", "call": "admission.authenticate",
            "input": {"session": session, "keep_alive_s": 60, "clean": true},
            "output": {"answer": {"accept": {
                "principal": "1700000000000 60 true",
                "device": "d1",
                "policy": {
                    "publish": ["scripted/d1/up"], "subscribe": ["scripted/#"], "receive": [],
                    "implicit": [{"filter": "scripted/down", "qos": 1}],
                },
            }}},
        },
        {
            "name": "application", "call": "topics.handle-message",
            "input": {"session": session, "message": {"topic": "scripted/a", "payload": {"text": "now"}}},
            "output": {},
        },
        {
            "name": "fault", "call": "northbound.handle-request",
            "input": {"method": "GET", "path": "/scripted/x", "body": {"text": "error taken"}},
            "output": {"error": {"conflict": "taken"}},
        },
    ]))
    .await;
    for vector in &report.tried {
        let differences: Vec<_> = vector.differences.iter().map(ToString::to_string).collect();
        assert_eq!(differences, Vec::<String>::new(), "{}: {:#}", vector.name, vector.actual);
        assert!(vector.memory_bytes >= 1 << 16 && !vector.took.is_zero(), "{vector:?}");
    }
    assert!(report.failed().is_none());
}

#[tokio::test]
async fn an_answer_or_a_write_that_is_another_fails() {
    let world = world(patient(), PluginOptions::default()).await;
    let changed = |pointer: &str, value: Value| {
        let mut vector = request();
        *vector.pointer_mut(pointer).unwrap() = value;
        vector
    };
    assert_eq!(differs(&world.plugin, &request()).await, Vec::<String>::new());
    for (pointer, value, place) in [
        ("/output/answer/wait/context", json!(8), "answer.wait.context:\n  expected 8\n  actual   7"),
        ("/output/writes/0/submit/alias", json!("a2"), "writes[0].submit.alias:\n  expected \"a2\"\n  actual   \"a1\""),
        (
            "/output/writes/0/submit/ttl_ms",
            Value::Null,
            "writes[0].submit.ttl_ms:\n  expected nothing\n  actual   5000",
        ),
    ] {
        assert_eq!(differs(&world.plugin, &changed(pointer, value)).await, [place]);
    }
    let nothing = differs(&world.plugin, &changed("/output/writes", json!([]))).await;
    assert!(nothing.len() == 1 && nothing[0].starts_with("writes[0]:\n  expected nothing"), "{nothing:?}");
    let none = differs(&world.plugin, &changed("/output", Value::Null)).await;
    assert_eq!(none, ["the vector has no `output`; look at this one and write it with --bless"]);
    // Ids come of the seed.
    assert_eq!(differs(&world.plugin, &changed("/given/now_ms", json!(1))).await.len(), 1);
}

#[tokio::test]
async fn a_handler_s_steps_are_compared_with_the_settings_of_the_vector() {
    let world = open("stepper", &guests::stepper(), patient(), PluginOptions::default()).await;
    let input = json!({"device": {"id": "d1"}, "intent": {"invoke": {"action": "open", "params": {"p": 1}}}});
    let report = tried(
        &world.plugin,
        &json!([
            {
                "name": "start", "call": "handler.start", "given": {"settings": {"s": 1}}, "input": input,
                "output": {"answer": {"send": {
                    "frames": [{"invoke": {"action": "unlock", "params": {"p": 1}}}],
                    "state": {"step": 1, "settings": {"s": 1}},
                    "reply_within_ms": 2000,
                }}},
            },
            {
                "name": "undecodable", "call": "decoder.decode",
                "input": {"device": {"id": "d1"}, "direction": "up", "what": {"payload": {"hex": "ff 00"}}},
                "output": {"answer": {"undecodable": "bytes mean nothing"}},
            },
            {"name": "commands", "call": "handler.commands", "output": {"answer": [
                {"name": "open", "summary": "opens", "params_schema": {"type": "object"}},
            ]}},
            {"name": "describe", "call": "plugin.describe", "output": {"answer": {
                "name": "stepper", "version": "1", "summary": "two steps", "claims": [], "tells": "ended", "queues": [],
                "credential_headers": [],
            }}},
            {
                "name": "no-such-role", "call": "southbound.dispatch",
                "input": {"device": {"id": "d1"}, "execution": {"id": "e", "device": "d1", "intent": {"read": []}}},
                "output": {"fault": {"code": "$PLUGIN_ERROR", "text": "does not export it"}},
            },
        ]),
    )
    .await;
    let failed: Vec<_> = report.tried.iter().map(|vector| (&vector.name, &vector.differences)).collect();
    assert!(report.failed().is_none(), "{failed:#?}");
}

#[test]
fn vectors_that_cannot_be_used_are_refused_with_a_sentence() {
    let list = |vectors: &Value| Vector::read_list(vectors.to_string().as_bytes()).map(|_| ()).unwrap_err().to_string();
    for (vectors, told) in [
        (json!({}), "the vectors are not a JSON array"),
        (json!([{"call": "plugin.describe"}]), "vector 1 of the array has no `name`"),
        (
            json!([{"name": "a", "call": "plugin.dance"}]),
            "the vector a cannot be used: no vector can call `plugin.dance`",
        ),
        (json!([{"name": "a", "call": "plugin.describe", "inputs": {}}]), "unknown field `inputs`"),
        (json!([{"name": "a", "call": "handler.start", "input": {}}]), "its `input`: missing field `device`"),
        (json!([{"name": "a", "call": "plugin.describe", "given": {"settings": []}}]), "invalid type: sequence"),
        (
            json!(vec![json!({"name": "a", "call": "plugin.describe"}); 1001]),
            "there are 1001 vectors, but at most 1000",
        ),
        (json!([{"name": "a", "call": "plugin.describe", "about": "x".repeat(1 << 20)}]), "bytes, but at most 1048576"),
    ] {
        let said = list(&vectors);
        assert!(said.contains(told), "{said}");
    }
    let folder = tempfile::tempdir().unwrap();
    let read = || Vector::read_folder(folder.path()).map(|_| ()).unwrap_err().to_string();
    assert!(read().contains("holds no vector"), "{}", read());
    std::fs::write(folder.path().join("one.json"), "{").unwrap();
    assert!(read().contains("one.json is not JSON"), "{}", read());
}

#[tokio::test]
async fn what_is_blessed_passes_and_keeps_the_rest_of_its_file() {
    let world = open("stepper", &guests::stepper(), patient(), PluginOptions::default()).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("one.json");
    std::fs::write(&file, r#"{"about": "who it is", "call": "handler.commands"}"#).unwrap();
    let vectors = Vector::read_folder(folder.path()).unwrap();
    let report = run_vectors(&world.plugin, &vectors).await;
    vectors[0].bless(&report.failed().unwrap().actual).unwrap();

    let vectors = Vector::read_folder(folder.path()).unwrap();
    assert!(run_vectors(&world.plugin, &vectors).await.failed().is_none());
    let written: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!((&written["about"], &written["output"]["answer"][0]["name"]), (&json!("who it is"), &json!("open")));
}

#[tokio::test]
async fn a_component_is_refused_whose_own_vectors_fail() {
    let carrying = |expected: &str| {
        let vectors = json!([{
            "name": "who it is", "call": "handler.commands",
            "output": {"answer": [{"name": expected, "summary": "opens", "params_schema": {"type": "object"}}]},
        }]);
        let vectors = Vector::read_list(vectors.to_string().as_bytes()).unwrap();
        Vector::carried_by(guests::stepper(), &vectors).unwrap()
    };
    for (expected, refused) in [("open", None), ("shut", Some("fails its own vector `who it is`: answer[0].name:"))] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("stepper.wasm"), carrying(expected)).unwrap();
        let runtime = Runtime::new(patient()).unwrap();
        let opened = PluginFolder::open(runtime, folder.path(), BTreeMap::new()).await.unwrap();
        let catalog = opened.catalog();
        match refused {
            None => assert_eq!((catalog.refused.as_slice(), catalog.get("stepper").is_some()), (&[][..], true)),
            Some(reason) => {
                let [file] = catalog.refused.as_slice() else { panic!("{:?}", catalog.refused) };
                assert!(file.reason.contains(reason), "{}", file.reason);
                assert!(catalog.get("stepper").is_none());
            }
        }
    }
}
