//! Plugins of dragoman: loading them, calling them within limits, and translating between the contract in `wit/` and
//! the host's own words.
//!
//! [`Runtime`] is the engine with its limits, [`PluginFolder`] the folder that is watched, [`Catalog`] what of it
//! serves, [`Plugin`] one version of a plugin. Every call gets a [`CallContext`] and comes back as a [`Done`] with
//! everything it wrote, or as a [`CallError`] and nothing.

mod access;
mod answers;
mod bindings;
mod cache;
mod call;
mod catalog;
mod check;
mod claims;
mod compiler;
mod context;
mod convert;
mod deadline;
mod description;
mod documented;
mod error;
mod files;
mod folder;
mod grants;
mod imports;
mod in_flight;
mod inspect;
mod instances;
mod kept;
mod load;
mod older;
mod one_line;
mod options;
mod plugin;
mod quarantine;
mod reads;
mod refusal;
mod runtime;
mod scan;
mod served;
mod state;
mod stdio;
mod telemetry;
mod unit;
mod vectors;
mod words;
mod writes;

pub use catalog::{Catalog, RefusedFile, Side};
pub use claims::Route;
pub use compiler::compile_for_parent;
pub use context::{CallContext, IdSource, Numbers, Presented, Secret};
pub use description::{Claim, Description, Queue, Roles};
pub use documented::Wanted;
pub use error::{Blame, CallError, Fault, GuestError};
pub use folder::{FolderError, LostVersion, PluginFolder};
pub use grants::{Grants, Interface};
pub use in_flight::InFlight;
pub use inspect::{Inspection, Resources};
pub use options::{PluginOptions, PoolOptions, QuarantineOptions, RuntimeOptions};
pub use plugin::Plugin;
pub use quarantine::QuarantineState;
pub use reads::{
    CheckError, CorrelationStatus, DeviceView, HostReads, Identity, Page, ReadError, RequestError, Selection,
};
pub use refusal::LoadStep;
pub use runtime::{Runtime, RuntimeError};
pub use vectors::{Difference, TriedVector, Vector, VectorError, VectorReport, run as run_vectors};
pub use words::{
    Answer, Attempt, Audience, Decision, Decoded, DeviceEvent, Direction, Dispatched, Document, Follower,
    HandlerCommand, HandlerPlan, Outgoing, Question, Readers, Request, Response, Settlement, Start, Step,
    SubscriptionVerdict, Verdict, Wait,
};
pub use writes::{Attempts, CreateDevice, Done, OutRequest, PluginWrite, Submit, UpdateDevice};
