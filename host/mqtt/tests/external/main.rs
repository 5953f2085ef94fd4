//! Connections to external brokers, against a broker that does what each test wants.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod acks;
mod chaos;
mod ears;
mod fake;
mod inbound;
mod limits;
mod sessions;
mod stalls;
mod tls;
mod waiting;
