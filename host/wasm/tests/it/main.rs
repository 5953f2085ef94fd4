//! Plugins as the host meets them: real components, built from `tests/guests`, in a real folder.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

/// That of the daemon: how memory stands after millions of calls is its doing as well.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

mod access;
mod answers;
mod calls;
mod documents;
mod executions;
mod faults;
mod folder;
mod grants;
mod guests;
mod handler;
mod host;
mod host_time;
mod hostile;
mod instances;
mod last_run;
mod leaving;
mod quarantine;
mod reads;
mod registry;
mod sessions;
mod soak;
mod tokens;
mod told;
mod vectors;
mod versions;
mod watching;
mod world;
