//! Calls of plugins that are made again: because the plugin could not be called for now, or somebody was faster.
//!
//! What a device or an application said once must not be lost because every instance is taken for a moment. So whoever
//! cannot hand that back to somebody who would ask again, as a request by HTTP can, calls through here.

use super::gateway::Gateway;
use super::writes::{About, Applied, REPEATS_MAX, WriteError};
use dragoman_wasm::{CallError, Done, Fault, Plugin};
use std::sync::Arc;
use std::time::Duration;

/// Before a call is made again that could not be made, or a read that failed.
pub const AGAIN_AFTER: Duration = Duration::from_millis(250);
/// How often a call is made again that could not be made, after the first.
pub const WAITS_MAX: u32 = 20;

/// Why a call with its writes came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// The plugin failed, or could not be called all the time.
    #[error(transparent)]
    Call(#[from] CallError),
    /// What it wrote was not applied.
    #[error(transparent)]
    Writes(#[from] WriteError),
}

/// What a call with its writes came to.
pub struct Called<T> {
    /// What the plugin answered.
    pub value: T,
    /// Whether it wrote anything.
    pub wrote: bool,
    /// What came of that.
    pub applied: Applied,
}

/// Makes a call, and again while the plugin cannot be called or the host cannot answer what it asks. Nothing is wrong
/// with what the call is about then.
///
/// # Errors
/// Of the last try, once there were [`WAITS_MAX`] more than one.
pub async fn when_free<T, F>(call: impl Fn() -> F) -> Result<T, CallError>
where
    F: Future<Output = Result<T, CallError>>,
{
    let mut waits = 0;
    loop {
        match call().await {
            Err(error) if is_for_now(&error) && waits < WAITS_MAX => {
                waits += 1;
                tokio::time::sleep(AGAIN_AFTER).await;
            }
            done => return done,
        }
    }
}

/// Makes a call as [`when_free`] does and applies what it wrote; the whole again where somebody was faster.
///
/// # Errors
/// Where the call fails, or what it wrote cannot be applied. Nothing is applied then.
pub async fn call_and_apply<'a, T, F>(
    gateway: &Arc<Gateway>,
    plugin: &Plugin,
    call: impl Fn() -> F,
    about: impl Fn() -> About<'a>,
) -> Result<Called<T>, Failed>
where
    F: Future<Output = Result<Done<T>, CallError>>,
{
    let mut repeats = 0;
    loop {
        let Done { value, writes, .. } = when_free(&call).await?;
        let wrote = !writes.is_empty();
        match gateway.apply_writes(plugin, writes, about()).await {
            Ok(applied) => return Ok(Called { value, wrote, applied }),
            Err(WriteError::Conflict(_)) if repeats < REPEATS_MAX => repeats += 1,
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether the same call may well succeed a little later.
pub fn is_for_now(error: &CallError) -> bool {
    // At the end of a quarantine one call is let through, and the others wait for what comes of it.
    matches!(error.fault, Fault::Busy(_) | Fault::Host(_) | Fault::Quarantined { again_in_ms: 0 })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use std::cell::Cell;

    fn failed(fault: Fault) -> Result<(), CallError> {
        Err(CallError { plugin: "acme-things".into(), export: "topics.settled", fault })
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_cannot_be_made_is_made_again_and_a_fault_is_final() {
        let tried = async |until: u32, fault: Fault| {
            let tries = Cell::new(0);
            let call = || {
                tries.set(tries.get() + 1);
                let result = if tries.get() < until { failed(fault.clone()) } else { Ok(()) };
                async move { result }
            };
            (when_free(call).await.is_ok(), tries.get())
        };
        assert_eq!(tried(4, Fault::Busy("full".into())).await, (true, 4));
        assert_eq!(tried(4, Fault::Host("the store".into())).await, (true, 4));
        assert_eq!(tried(4, Fault::Quarantined { again_in_ms: 0 }).await, (true, 4));
        assert_eq!(tried(4, Fault::Quarantined { again_in_ms: 1 }).await, (false, 1));
        assert_eq!(tried(u32::MAX, Fault::Busy("full".into())).await, (false, WAITS_MAX + 1));
        assert_eq!(tried(4, Fault::Trapped("unreachable".into())).await, (false, 1));
    }
}
