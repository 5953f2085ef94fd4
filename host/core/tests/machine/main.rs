//! The state machine from the outside: its table, a reference model, a simulation of everything around it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
mod invariants;
mod limits;
mod model;
mod recovery;
mod reference;
mod refusals;
mod scenarios;
mod shell;
mod simulation;
mod table;
mod world;
