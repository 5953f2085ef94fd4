//! The execution state machine of dragoman as a pure function of its inputs.
//!
//! Nothing here knows a clock, a thread, a socket, a file or a random number: time and ids are arguments, what must
//! happen outside is returned as an [`Effect`]. The shells around it (`dragoman-store`, `dragoman-mqtt`,
//! `dragoman-wasm` and the daemon's runtime) do the rest.

pub mod execution;
pub mod intent;
pub mod machine;
pub mod session;
pub mod topic;

pub use execution::{
    Correlation, Event, Execution, Idempotency, Options, Outcome, Overflow, Owner, Phase, Place, Reason, Reply, Stage,
    State, Told, Transition, WhenAway,
};
pub use intent::{
    Attributes, Delivery, DeviceId, ExecutionId, Intent, Invocation, Json, Payload, Property, PropertyName,
};
pub use machine::{
    Answer, Change, Effect, HandOver, Input, Limits, Machine, Planned, Prior, Refusal, Report, Submission, record_late,
    record_late_failure, record_note, set_label,
};
pub use session::{ConnectRefusal, Grant, Message, Policy, Session, SessionId, Subscription};
