//! Plugins as the host meets them: real components, built from `tests/guests`, in a real folder.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod calls;
mod faults;
mod folder;
mod guests;
mod handler;
mod host;
mod instances;
mod reads;
mod watching;
mod world;
