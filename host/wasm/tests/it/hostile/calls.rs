//! What a hostile plugin does in a call, and what the host makes of it.

use super::places::{self, PLACES};
use super::{Den, file, guest, name};
use crate::world::patient;
use dragoman_wasm::{CallError, Fault, GuestError, RuntimeOptions};

const START: &str = "handler.start";
const REQUEST: &str = "northbound.handle-request";
const DEADLINE_MS: u64 = 300;

/// What a deed comes to.
enum Outcome {
    Fault(Fault),
    /// It traps, and the reason says that.
    Traps(&'static str),
    /// It gets an answer, with so many writes.
    Says(&'static str, usize),
}

use Outcome::{Fault as Faults, Says, Traps};

fn unreachable() -> Outcome {
    Traps("wasm trap: wasm `unreachable` instruction executed")
}

fn does_not_fit(text: &str) -> Outcome {
    Faults(Fault::DoesNotFit(text.into()))
}

fn output(text: &str) -> Outcome {
    Faults(Fault::Output(text.into()))
}

fn budget(text: &str) -> Outcome {
    Faults(Fault::HostcallBudget(text.into()))
}

fn copied() -> Outcome {
    budget("too much data in one crossing")
}

fn memory() -> Outcome {
    Faults(Fault::Memory { limit_bytes: 64 << 20 })
}

/// Has each guest do its deed once and compares what came of it; after each, no slot is lost and the plugin that works
/// does.
async fn meet(options: RuntimeOptions, deeds: Vec<(&str, &str, Outcome)>) {
    let files = deeds.iter().enumerate().map(|(number, (place, deed, _))| (file(number), guest(number, place, deed)));
    let den = Den::of(options, files).await;
    for (number, (place, deed, expected)) in deeds.iter().enumerate() {
        let plugin = den.plugin(&name(number));
        let came = places::call(&den, &plugin, place).await;
        match (&came, expected) {
            (Ok((said, writes)), Says(text, count)) => {
                assert_eq!((&**said, writes), (*text, count), "{deed} in {place}");
            }
            (Err(error), Faults(fault)) => blames(error, fault, place, &name(number)),
            (Err(CallError { fault: Fault::Trapped(why), .. }), Traps(text)) => {
                assert!(why.contains(text), "{deed} in {place}: {why}");
            }
            _ => panic!("{deed} in {place} came to {came:?}"),
        }
        den.is_unharmed().await;
    }
}

/// The error names the plugin, the export and exactly this fault, and counts towards the quarantine.
fn blames(error: &CallError, fault: &Fault, place: &str, name: &str) {
    assert_eq!(&error.fault, fault, "in {place}");
    assert_eq!((&*error.plugin, error.export, error.is_fault()), (name, place, true));
    assert!(error.to_string().contains(name) && error.to_string().contains(place), "{error}");
}

#[tokio::test]
async fn what_takes_time_without_end_is_stopped_by_the_deadline() {
    let late = || Faults(Fault::Deadline { limit_ms: DEADLINE_MS });
    let deeds = vec![
        (START, "spin", late()),
        (REQUEST, "spin-in-host-calls", late()),
        (START, "log-without-end", late()),
        (START, "sleep", late()),
        (START, "doze", late()),
        (START, "spin-in-realloc", late()),
        (START, "spin-after-the-answer", late()),
    ];
    meet(RuntimeOptions { deadline_ms: DEADLINE_MS, ..patient() }, deeds).await;
}

#[tokio::test]
async fn what_breaks_off_or_takes_too_much_costs_one_call() {
    let deeds = vec![
        (START, "allocate", memory()),
        (START, "allocate-carefully", memory()),
        (START, "outcome-40-mib", memory()),
        (START, "recurse", Traps("wasm trap: out of bounds memory access")),
        (START, "panic", Traps("said on the way out")),
        (START, "abort", unreachable()),
        (START, "exit", Faults(Fault::Trapped("it exited with status 1".into()))),
        (START, "exit-well", Faults(Fault::Trapped("it exited with status 0".into()))),
        (START, "pollables-without-end", budget("it holds more than the host keeps for one instance")),
        (START, "log-at-length", copied()),
        (START, "frames-without-end", copied()),
        (REQUEST, "answer-40-mib", copied()),
        (REQUEST, "error-40-mib", copied()),
        (REQUEST, "many-headers", copied()),
        (REQUEST, "publish-often", budget("more than 1000 calls, the last one of `outbox.publish`")),
        (REQUEST, "ask-without-end", budget("more than 1000 calls, the last one of `asks.ask`")),
        (REQUEST, "number-without-end", budget("more than 1000 calls, the last one of `documents.next-number`")),
        (REQUEST, "read-at-length", budget("it reads more than 67108864 bytes of documents in one call")),
        (REQUEST, "register-without-end", budget("more than 1000 calls, the last one of `devices.create`")),
        (REQUEST, "submit-without-end", output("it submits more than 256 commands in one call")),
        (REQUEST, "hold-without-end", output("it holds more than 256 submissions at once")),
    ];
    meet(patient(), deeds).await;
}

#[tokio::test]
async fn what_breaks_the_contract_is_a_fault_that_says_how() {
    let deeds = vec![
        (START, "trap-in-realloc", unreachable()),
        (START, "trap-after-the-answer", unreachable()),
        (START, "call-the-host-in-realloc", Traps("cannot leave component instance")),
        (START, "realloc-beyond-memory", does_not_fit("realloc return: result not aligned")),
        (START, "realloc-askew", does_not_fit("realloc return: result not aligned")),
        (START, "text-beyond-memory", does_not_fit("string pointer/length out of bounds of memory")),
        (START, "text-of-no-text", does_not_fit("invalid utf-8 sequence of 1 bytes from index 0")),
        (START, "import", does_not_fit("it called `devices.get`, which is not allowed there")),
        (START, "no-frames", does_not_fit("there are 0 frames of a step, but at least 1 are needed")),
        (START, "thousand-frames", output("there are 1000 frames of a step, but at most 64 are allowed")),
        (START, "large-frame", output("an intent's params has 1048584 bytes, but at most 262144 are allowed")),
        (START, "state-1-mib", output("the state of a handler has 1048578 bytes, but at most 65536 are allowed")),
        (START, "state-too-deep", output("the state of a handler has 100000 bytes, but at most 65536 are allowed")),
        (
            START,
            "state-of-no-json",
            does_not_fit("the state of a handler is not valid JSON: EOF while parsing an object at line 1 column 1"),
        ),
        (START, "outcome-of-no-json", does_not_fit("an outcome is not valid JSON: expected value at line 1 column 1")),
        (START, "long-reason", output("a reason's text has 1048576 bytes, but at most 4096 are allowed")),
        (
            START,
            "code-of-the-host",
            does_not_fit("it used the reason code `$NO_RESPONSE`, but codes that begin with `$` are the host's"),
        ),
        (REQUEST, "answer-5-mib", output("the body of a response has 5242880 bytes, but at most 4194304 are allowed")),
        (REQUEST, "status-of-no-answer", does_not_fit("99 is not the status of an answer")),
        (REQUEST, "wait-for-nothing", does_not_fit("it waits but submitted nothing to wait for")),
        (
            REQUEST,
            "submit-and-answer",
            does_not_fit("it submitted or asked something and answered without waiting for it"),
        ),
        (REQUEST, "error-1-mib", Faults(Fault::Guest(GuestError::Internal("x".repeat(4096))))),
    ];
    meet(patient(), deeds).await;
}

#[tokio::test]
async fn what_reaches_for_what_is_not_its_own_gets_nothing_of_it() {
    let gone = "Err(NotFound)";
    let nothing = format!("0 0 [{gone}, {gone}, {gone}, {gone}] {gone} {gone}");
    let refused = "Err(PermissionDenied)";
    let no_socket = format!("{refused} {refused} {refused} Err(Uncategorized)");
    let others = "Error::Denied(\"the dialect `other` reaches the device `d9`";
    let unknown = "Error::NotFound(\"no execution has the id `e4`\")";
    let no_session = "Error::Denied(\"this dialect has no session `s9`\")";
    let meddled = [
        "Error::NotFound(\"nothing was dispatched under `k1`\")",
        "Error::Denied(\"another dialect reaches the device of execution `e4`\")",
        unknown,
        unknown,
        unknown,
        &format!("{others}\")"),
        &format!("{others}\")"),
        no_session,
        no_session,
        no_session,
        "Error::NotFound(\"no target elsewhere\")",
        &format!("{others}, and only it tells what the device says\")"),
    ]
    .join("\n");
    let leak = |text: String| &*text.leak();
    let deeds = vec![
        (START, "read-the-machine", Says(leak(nothing), 0)),
        (START, "open-sockets", Says(leak(no_socket), 0)),
        (REQUEST, "meddle", Says(leak(meddled), 0)),
        // Neither execution is one of this dialect's applications.
        (REQUEST, "read-others", Says("[false, false]", 0)),
        (
            REQUEST,
            "publish-at-length",
            Says("Error::Limit(\"the payload of a message has 1048576 bytes, but at most 262144 are allowed\")", 0),
        ),
        // The submission carries its problem to whoever is told what became of it.
        (REQUEST, "submit-a-large-context", Says("waits with {}", 1)),
        (START, "log-often", Says("logged", 0)),
        (START, "shout", Says("shouted", 0)),
        (START, "realloc-nothing", Says("", 0)),
    ];
    meet(patient(), deeds).await;
    assert!(!std::path::Path::new("/tmp/hostile").exists());
}

/// Each of these would be called again for what it has just said, for ever.
#[tokio::test]
async fn who_is_told_something_tells_nothing_in_turn() {
    let not_there = |import: &str| does_not_fit(&format!("it called `{import}`, which is not allowed there"));
    let deeds = vec![
        ("notifications.on-transitions", "note", not_there("executions.note")),
        ("notifications.on-transitions", "report", not_there("executions.tell-for")),
        ("notifications.on-transitions", "emit", not_there("events.emit")),
        ("notifications.on-event", "note", not_there("executions.note")),
    ];
    meet(patient(), deeds).await;
}

#[tokio::test]
async fn a_trap_in_any_export_costs_that_call() {
    meet(patient(), PLACES.map(|place| (place, "trap", unreachable())).into()).await;
}
