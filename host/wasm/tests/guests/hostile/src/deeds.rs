//! What a guest does that it should not. What returns tells what it saw.

use crate::dragoman::gateway::types::{Intent, Invocation, Message, Outcome, Payload};
use crate::dragoman::gateway::{asks, devices, documents, events, executions, host, outbox, sessions};
use crate::marks;
use std::fmt::Debug;
use std::hint::black_box;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};

const OFTEN: u32 = 200_000;
/// Calls of this instance.
static CALLS: AtomicU32 = AtomicU32::new(0);

#[link(wasm_import_module = "wasi:clocks/monotonic-clock@0.2.6")]
unsafe extern "C" {
    /// A handle of something that can be waited for, in so many nanoseconds.
    #[link_name = "subscribe-duration"]
    fn subscribe_duration(nanoseconds: i64) -> i32;
}

/// Does the deed, if this is its place. Tells what came of it.
pub(crate) fn here(place: &str) -> String {
    if !marks::is_place(place) {
        return String::new();
    }
    match marks::deed() {
        "spin" => spin(),
        "spin-in-host-calls" => loop {
            black_box(host::now());
        },
        "log-without-end" => loop {
            host::log(host::Severity::Debug, "again");
        },
        "allocate" => hoard(Vec::push),
        "allocate-carefully" => hoard(|held, piece| {
            if held.try_reserve_exact(1).is_ok() {
                held.push(piece);
            }
        }),
        "recurse" => recurse(0).to_string(),
        "panic" => panic!("said on the way out"),
        "trap" => core::arch::wasm32::unreachable(),
        "abort" => std::process::abort(),
        "exit" => std::process::exit(3),
        "exit-well" => std::process::exit(0),
        "sleep" => {
            std::thread::sleep(std::time::Duration::from_secs(3600));
            "woke up".into()
        }
        "doze" => loop {
            std::thread::sleep(std::time::Duration::from_millis(1));
        },
        "pollables-without-end" => loop {
            // Neither waited for nor dropped: the host keeps each.
            black_box(unsafe { subscribe_duration(3_600_000_000_000) });
        },
        "log-often" => {
            (0..OFTEN).for_each(|line| host::log(host::Severity::Warn, &format!("line {line}")));
            "logged".into()
        }
        "shout" => {
            // Two megabytes: far more than is kept, and done before a call's time is over.
            let line = "e".repeat(99);
            (0..OFTEN / 10).for_each(|_| drop(writeln!(std::io::stderr(), "{line}")));
            "shouted".into()
        }
        "log-at-length" => {
            host::log(host::Severity::Warn, &"x".repeat(40 << 20));
            "logged".into()
        }
        "read-the-machine" => read_the_machine(),
        "open-sockets" => open_sockets(),
        "publish-often" => {
            for _ in 0..OFTEN {
                drop(black_box(outbox::publish(&outbox::Audience::Subscribers, &message("hostile/flood", "x"))));
            }
            "published".into()
        }
        "publish-at-length" => told(outbox::publish(
            &outbox::Audience::Subscribers,
            &message("hostile/flood", &"x".repeat(1 << 20)),
        )),
        "submit-without-end" => loop {
            executions::submit(submission("d1"));
        },
        "hold-without-end" => loop {
            std::mem::forget(submission("d1"));
        },
        "ask-without-end" => loop {
            asks::ask("d1", &asks::Question::Plan(act()));
        },
        "number-without-end" => loop {
            documents::next_number("counter");
        },
        "read-at-length" => loop {
            drop(documents::get("things", "large"));
        },
        "register-without-end" => loop {
            drop(devices::create(&registration(None)));
        },
        "submit-a-large-context" => {
            let command = submission("d1");
            command.context(&format!("\"{}\"", "c".repeat(1 << 20)));
            executions::submit(command)
        }
        "meddle" => meddle(),
        "read-others" => {
            let seen = [executions::get("e4").is_some(), executions::get("e2").is_some()];
            format!("{seen:?}")
        }
        "note" => told(executions::note("e1", "{}")),
        "report" => told(executions::tell_for("e1", &executions::Report::Progress(None), &Vec::new())),
        "emit" => told(events::emit(&event("d1"))),
        "trap-every-hundredth" => {
            drop(black_box((devices::get("d1"), documents::next_number("counter"))));
            drop(outbox::publish(&outbox::Audience::Subscribers, &message("hostile/x", "x")));
            let before = CALLS.fetch_add(1, Ordering::Relaxed);
            if before % 100 == 99 {
                core::arch::wasm32::unreachable()
            }
            before.to_string()
        }
        "import" => devices::get("d1").map_or_else(String::new, |device| device.id),
        _ => String::new(),
    }
}

pub(crate) fn spin() -> ! {
    loop {
        black_box(0);
    }
}

fn hoard(keep: impl Fn(&mut Vec<Vec<u8>>, Vec<u8>)) -> String {
    let mut held = Vec::new();
    loop {
        let mut piece = Vec::new();
        if piece.try_reserve_exact(1 << 20).is_err() {
            // A guest whose allocator says no in time can go on.
            return format!("{} MiB", held.len());
        }
        piece.resize(1 << 20, 1_u8);
        keep(&mut held, black_box(piece));
    }
}

#[expect(unconditional_recursion, reason = "that is the point")]
fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    recurse(black_box(depth + 1)) + frame[0]
}

/// Everything that an empty WASI context must not show.
fn read_the_machine() -> String {
    let kind = |result: std::io::Result<()>| result.map_err(|error| error.kind());
    let files = ["/etc/passwd", "/proc/self/environ", "../../../../etc/passwd", "."];
    let read = files.map(|file| kind(std::fs::read(file).map(drop)));
    let dir = kind(std::fs::read_dir("/").map(drop));
    let write = kind(std::fs::write("/tmp/hostile", "x"));
    format!("{} {} {read:?} {dir:?} {write:?}", std::env::vars().count(), std::env::args().count())
}

fn open_sockets() -> String {
    let kind = |result: std::io::Result<()>| result.map_err(|error| error.kind());
    let connect = kind(TcpStream::connect("127.0.0.1:1").map(drop));
    let listen = kind(TcpListener::bind("127.0.0.1:0").map(drop));
    let datagram = kind(UdpSocket::bind("127.0.0.1:0").map(drop));
    let resolve = kind(TcpStream::connect("localhost:1").map(drop));
    format!("{connect:?} {listen:?} {datagram:?} {resolve:?}")
}

/// Reports on, cancels, closes and takes over what belongs to others.
fn meddle() -> String {
    let correlation = executions::Correlation { reporter: "d9".into(), key: "k1".into() };
    let ended = executions::Report::Ended(Outcome::Succeeded(None));
    [
        told(executions::tell(&correlation, &ended, &Vec::new())),
        told(executions::tell_for("e4", &ended, &Vec::new())),
        told(executions::cancel("e4")),
        told(executions::note("e4", "{}")),
        told(executions::set_label("e4", "label", "mine")),
        told(devices::remove("d9")),
        told(devices::update("d9", &registration(Some("d9")), 1)),
        told(sessions::close("s9")),
        told(sessions::put_notes("s9", "{}")),
        told(outbox::publish(&outbox::Audience::Session("s9".into()), &message("hostile/x", "x"))),
        told(outbox::request("elsewhere", "GET", "/", &Vec::new(), None)),
        told(events::emit(&event("d9"))),
    ]
    .join("\n")
}

fn told<T: Debug, E: Debug>(result: Result<T, E>) -> String {
    match result {
        Ok(_) => "ok".into(),
        Err(error) => format!("{error:?}"),
    }
}

fn act() -> Intent {
    Intent::Invoke(Invocation { service: None, action: "act".into(), params: "{}".into() })
}

fn submission(device: &str) -> executions::Submission {
    executions::Submission::new(device, &act())
}

fn registration(id: Option<&str>) -> devices::Registration {
    devices::Registration {
        id: id.map(str::to_owned),
        handler: None,
        parent: None,
        aliases: Vec::new(),
        labels: Vec::new(),
        profile: "{}".into(),
    }
}

fn event(device: &str) -> events::Event {
    events::Event {
        device: device.into(),
        kind: "uplink".into(),
        name: None,
        at_ms: 0,
        raw: None,
        body: None,
        attributes: Vec::new(),
    }
}

fn message(topic: &str, text: &str) -> Message {
    let payload = Payload::Text(text.into());
    Message { topic: topic.into(), payload, qos: 1, retain: false, attributes: Vec::new() }
}
