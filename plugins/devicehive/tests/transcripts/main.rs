//! The dialect as transcripts: what clients publish, what they are sent, and what the gateway is told, byte for byte.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod across;
mod actions;
#[path = "../support/mod.rs"]
mod support;

use dragoman_plugin_sdk::testing::Transcript;

pub(crate) fn check(transcript: &Transcript, name: &str) {
    transcript.check(format!("{}/tests/golden/{name}.txt", env!("CARGO_MANIFEST_DIR")));
}

/// What an application that commands may do.
pub(crate) const COMMAND_ACTIONS: [&str; 6] =
    ["command/insert", "command/update", "command/get", "command/list", "command/subscribe", "subscription/list"];
