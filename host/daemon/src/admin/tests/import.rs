//! Registering many devices in one request.

use super::Bench;
use axum::body::Body;
use futures::stream;
use serde_json::{Value, json};

#[tokio::test]
async fn lines_are_registered_in_batches_and_failures_are_named() {
    let bench = Bench::new();
    let mut lines: Vec<String> = (0..2_500).map(|index| format!(r#"{{"id":"d{index}","dialect":"things"}}"#)).collect();
    lines[10] = "not json".to_owned();
    lines[11] = r#"{"id":"d0","dialect":"things"}"#.to_owned();
    lines[12] = String::new();
    lines[13] = format!(r#"{{"id":"long","dialect":"things","profile":{{"a":"{}"}}}}"#, "x".repeat(262_144));
    lines[14] = r#"{"id":"a b","dialect":"things"}"#.to_owned();
    let done = bench.json("POST /v1/devices/import", &lines.join("\n"), 200).await;
    let expected = json!({
        "imported": 2_495,
        "failed": [
            {"line": 11, "message": "the line is not JSON: expected ident at line 1 column 2"},
            {"line": 14, "message": "the line exceeds 262144 bytes, the limit"},
            {"line": 15, "message": "id is \"a b\"; allowed are 1 to 128 of A-Z a-z 0-9 _ . : -"},
            {"line": 12, "message": "device d0 is registered already"},
        ],
        "failed_total": 4,
    });
    assert_eq!(done, expected);
    assert_eq!(*bench.fake.batches.lock().unwrap(), [1_000, 1_000, 496]);
    assert_eq!(bench.fake.devices.lock().unwrap().len(), 2_495);
}

#[tokio::test]
async fn at_most_a_hundred_failures_are_named() {
    let bench = Bench::new();
    let done = bench.json("POST /v1/devices/import", &"{}\n".repeat(250), 200).await;
    assert_eq!((done["failed"].as_array().map(Vec::len), &done["failed_total"]), (Some(100), &json!(250)));
}

#[tokio::test]
async fn secrets_come_along() {
    let bench = Bench::new();
    let lines: String = (0..100)
        .map(|index| format!("{{\"id\":\"d{index}\",\"dialect\":\"things\",\"credential\":{{\"kind\":\"key\",\"secret\":\"secret-{index}\"}}}}\n"))
        .collect();
    let done = bench.json("POST /v1/devices/import", &lines, 200).await;
    assert_eq!(done, json!({"imported": 100, "failed": [], "failed_total": 0}));
    let vault = super::Control::vault(&*bench.fake);
    assert_eq!(vault.secret("things", "device/d99").await.unwrap().unwrap().as_slice(), b"secret-99");
}

#[tokio::test]
async fn a_body_that_breaks_off_keeps_what_came_before() {
    let bench = Bench::new();
    let chunks = [
        Ok("{\"id\":\"a\",\"dialect\":\"things\"}\n{\"id\":\"b\",\"dia".to_owned()),
        Err(std::io::Error::other("connection reset")),
    ];
    let (status, text) = bench.call("POST /v1/devices/import", Body::from_stream(stream::iter(chunks))).await;
    let answer: Value = serde_json::from_str(&text).unwrap();
    let expected = "the body ended early in line 2; 1 devices are imported";
    assert_eq!((status, &answer["error"]["message"]), (400, &json!(expected)));
    assert_eq!(bench.fake.devices.lock().unwrap().len(), 1);
}
