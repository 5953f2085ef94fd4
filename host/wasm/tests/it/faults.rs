//! What a bad plugin costs: one call.

use crate::world::{NOW_MS, World, patient, world};
use dragoman_wasm::{Fault, PluginOptions, RuntimeOptions};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Limits for calls that are meant to run into the deadline.
async fn hasty() -> World {
    world(RuntimeOptions { deadline_ms: 300, ..patient() }, PluginOptions::default()).await
}

async fn scripted() -> World {
    world(patient(), PluginOptions::default()).await
}

fn trapped(fault: &Fault, said: &str) -> bool {
    matches!(fault, Fault::Trapped(text) if text.contains(said))
}

#[tokio::test]
async fn what_computes_without_end_is_stopped() {
    let world = hasty().await;
    assert_eq!(world.fault("harm spin").await, Fault::Deadline { limit_ms: 300 });
    assert_eq!(world.fault("harm spin-in-host-calls").await, Fault::Deadline { limit_ms: 300 });
}

#[tokio::test]
async fn what_computes_lets_others_work() {
    let world = hasty().await;
    // One thread runs both: the second call can only end before the first if the first gives way.
    let ended = Mutex::new(Vec::new());
    let spinning = async {
        let fault = world.request("harm spin").await.unwrap_err().fault;
        assert_eq!(fault, Fault::Deadline { limit_ms: 300 });
        ended.lock().unwrap().push("spinning");
    };
    let working = async {
        world.says("now").await;
        ended.lock().unwrap().push("working");
    };
    tokio::join!(spinning, working);
    assert_eq!(*ended.lock().unwrap(), ["working", "spinning"]);
}

#[tokio::test]
async fn what_sleeps_is_woken_by_its_deadline() {
    let world = hasty().await;
    let start = Instant::now();
    assert_eq!(world.fault("harm sleep").await, Fault::Deadline { limit_ms: 300 });
    assert!(start.elapsed() < Duration::from_secs(20), "it slept its thirty seconds, and was stopped only then");
}

#[tokio::test]
async fn memory_without_end_is_refused() {
    let world = scripted().await;
    let fault = world.fault("harm allocate").await;
    assert_eq!(fault, Fault::Memory { limit_bytes: 64 << 20 });
    let error = world.request("harm allocate").await.unwrap_err();
    assert_eq!(error.code(), "$PLUGIN_MEMORY");
    assert_eq!(
        error.to_string(),
        "plugin scripted asked for more than 67108864 bytes of memory in northbound.handle-request"
    );
}

#[tokio::test]
async fn a_trap_tells_what_the_plugin_said_and_writes_nothing() {
    let world = scripted().await;
    assert!(trapped(&world.fault("harm recurse").await, "memory"));
    assert_eq!(world.fault("harm exit").await, Fault::Trapped("it exited with status 1".into()));
    let error = world.request("submit d1\ncreate n1 ns two\nharm panic").await.unwrap_err();
    assert!(trapped(&error.fault, "said on the way out"), "{error}");
    assert_eq!((error.code(), error.reason().code.as_str()), ("$PLUGIN_TRAP", "$PLUGIN_TRAP"));
    world.is_unharmed().await;
}

#[tokio::test]
async fn too_much_asked_of_the_host_is_refused() {
    let world = scripted().await;
    assert_eq!(
        world.fault("harm read-without-end").await,
        Fault::HostcallBudget("more than 1000 calls, the last one of `devices.get`".into())
    );
    assert_eq!(world.host.reads.load(Ordering::Relaxed), 1, "the host was asked once for what was read 1000 times");
    let copied = Fault::HostcallBudget("too much data in one crossing".into());
    assert_eq!(world.fault("body 9000000").await, copied);
    assert_eq!(world.fault("harm long-log 9000000").await, copied);
}

#[tokio::test]
async fn too_much_answered_is_refused() {
    let world = scripted().await;
    for (script, fault) in [
        ("body 4194305", "the body of a response has 4194305 bytes, but at most 4194304 are allowed"),
        ("headers 65", "there are 65 headers of a response, but at most 64 are allowed"),
        (&"submit d1\n".repeat(257), "it submits more than 256 commands in one call"),
        (&"hold d1\n".repeat(257), "it holds more than 256 submissions at once"),
        (&"submit d1 bytes 260000\n".repeat(70), "it writes more than 16777216 bytes in one call"),
    ] {
        assert_eq!(world.fault(script).await, Fault::Output(fault.into()));
    }
    assert_eq!(world.says("body 4194304").await.len(), 4_194_304);
    let many = "drop d1\n".repeat(300);
    assert_eq!(world.says(&many).await, "", "what is dropped is not held");
}

#[tokio::test]
async fn nothing_of_the_machine_is_seen() {
    let world = scripted().await;
    assert_eq!(world.says("harm env").await, "0 0");
    assert_eq!(world.says("harm clock").await, NOW_MS.to_string());
    for harm in ["read /etc/passwd", "read /proc/self/environ", "write /tmp/scripted", "connect 127.0.0.1:1"] {
        let told = world.says(&format!("harm {harm}")).await;
        assert!(told.starts_with("Err("), "{harm}: {told}");
    }
    assert!(!std::path::Path::new("/tmp/scripted").exists());
}

#[tokio::test]
async fn no_state_outlives_a_call() {
    let world = scripted().await;
    for _ in 0..3 {
        assert_eq!(world.says("harm calls\nharm calls").await, "0\n1");
    }
}

#[tokio::test]
async fn logs_are_kept_up_to_a_limit_and_the_rest_is_counted() {
    let world = scripted().await;
    let counted = Arc::new(Counted::default());
    let guard = tracing::subscriber::set_default(Arc::clone(&counted));
    assert_eq!(world.says("harm log 200000").await, "logged");
    assert_eq!(counted.lines.swap(0, Ordering::Relaxed), 50);
    assert_eq!(*counted.lost.lock().unwrap(), [199_950]);
    // A long line is cut, and takes what there is.
    assert_eq!(world.says("harm long-log 100000\nlog more").await, "logged");
    assert_eq!(counted.lines.swap(0, Ordering::Relaxed), 1);
    // What the call logged stays when it fails.
    world.request("log before\nharm panic").await.unwrap_err();
    assert_eq!(counted.lines.swap(0, Ordering::Relaxed), 1);
    // Standard output is log as well.
    assert_eq!(world.says("harm print 2000000").await, "printed");
    assert_eq!(counted.lines.swap(0, Ordering::Relaxed), 17);
    drop(guard);
    world.is_unharmed().await;
}

/// Counts the lines of plugins, and what the host says of those that are lost.
#[derive(Default)]
struct Counted {
    lines: AtomicUsize,
    lost: Mutex<Vec<u64>>,
}

impl Subscriber for Counted {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        if event.metadata().target() == "dragoman::plugin" {
            self.lines.fetch_add(1, Ordering::Relaxed);
        }
        event.record(&mut Lost(&self.lost));
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

struct Lost<'a>(&'a Mutex<Vec<u64>>);

impl Visit for Lost<'_> {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "lines" {
            self.0.lock().unwrap().push(value);
        }
    }
    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}
