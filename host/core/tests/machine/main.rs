//! The state machine from the outside: its table, a reference model, a simulation of everything around it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod again;
mod common;
mod invariants;
mod limits;
mod model;
mod receipts;
mod recovery;
mod reference;
mod refusals;
mod remarks;
mod scenarios;
mod shell;
mod simulation;
mod table;
mod versions;
mod vouching;
mod windows;
mod world;
