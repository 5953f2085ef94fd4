//! What a plugin must not be able to do to its host.

use crate::dragoman::gateway::{devices, host};
use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};

static CALLS: AtomicU32 = AtomicU32::new(0);

pub(crate) fn run(what: &[&str]) -> String {
    match what {
        ["spin"] => spin(),
        ["spin-in-host-calls"] => loop {
            black_box(host::now());
        },
        ["read-without-end"] => loop {
            black_box(devices::get("d1"));
        },
        ["allocate"] => {
            let mut held = Vec::new();
            loop {
                held.push(black_box(vec![1_u8; 1 << 20]));
            }
        }
        ["grow", bytes] => {
            std::mem::forget(black_box(vec![1_u8; bytes.parse().unwrap_or(0)]));
            "grown".into()
        }
        ["recurse"] => recurse(0).to_string(),
        ["panic"] => panic!("said on the way out"),
        ["exit"] => std::process::exit(3),
        ["sleep"] => {
            std::thread::sleep(std::time::Duration::from_secs(30));
            "woke up".into()
        }
        ["log", lines] => {
            for line in 0..lines.parse::<u32>().unwrap_or(0) {
                host::log(host::Severity::Warn, &format!("line {line}"));
            }
            "logged".into()
        }
        ["long-log", bytes] => {
            host::log(host::Severity::Warn, &"x".repeat(bytes.parse().unwrap_or(0)));
            "logged".into()
        }
        ["print", bytes] => {
            for _ in 0..bytes.parse::<usize>().unwrap_or(0) / 1000 {
                println!("{}", "p".repeat(999));
            }
            "printed".into()
        }
        ["env"] => format!("{} {}", std::env::vars().count(), std::env::args().count()),
        ["read", file] => format!("{:?}", std::fs::read(file).map_err(|error| error.kind())),
        ["write", file] => format!("{:?}", std::fs::write(file, "x").map_err(|error| error.kind())),
        ["connect", address] => {
            format!("{:?}", std::net::TcpStream::connect(address).map(drop).map_err(|error| error.kind()))
        }
        ["clock"] => {
            let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            since.map_or(0, |since| since.as_millis()).to_string()
        }
        ["calls"] => CALLS.fetch_add(1, Ordering::Relaxed).to_string(),
        other => format!("no such harm: {other:?}"),
    }
}

pub(crate) fn spin() -> ! {
    loop {
        black_box(0);
    }
}

#[expect(unconditional_recursion, reason = "that is the point")]
fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    recurse(black_box(depth + 1)) + frame[0]
}
