//! Chosen secrets: Argon2id, as many at once as there are cores for it, with a memory of what was right.

use super::verified::Verified;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use zeroize::Zeroizing;

/// OWASP's parameters with the least memory that is advised together with three passes: 12 MiB for each at once.
const MEMORY_KIB: u32 = 12_288;
const PASSES: u32 = 3;
/// Hashes at once; with their memory they are what a flood of wrong passwords can make busy.
const AT_ONCE_MAX: usize = 2;
/// Checks that may wait for one of those.
const WAITING_MAX: usize = 256;

/// Why a password was neither hashed nor checked.
#[derive(Debug, thiserror::Error)]
pub(super) enum PasswordError {
    /// Too many wait.
    #[error("{WAITING_MAX} passwords wait to be checked, the limit")]
    Busy,
    /// The stored text is no hash, or the system gives no randomness.
    #[error("{0}")]
    Broken(String),
}

/// Hashes and checks passwords.
pub(super) struct Passwords {
    working: Arc<Semaphore>,
    admitted: Arc<Semaphore>,
    verified: Mutex<Verified>,
    /// Of no password: what an account that does not exist is checked against.
    nobody: String,
}

/// The right to work on one hash. It goes with the work to its thread, because the work runs on when the caller that
/// waited for it is gone.
struct Turn {
    _admitted: OwnedSemaphorePermit,
    _working: OwnedSemaphorePermit,
}

/// A stored password and what was presented for it.
pub(super) struct Attempt<'a> {
    pub(super) dialect: &'a str,
    pub(super) account: &'a str,
    /// PHC string.
    pub(super) stored: &'a [u8],
    pub(super) secret: &'a [u8],
}

impl Passwords {
    /// Takes as long as one hash.
    pub(super) fn new() -> Result<Self, PasswordError> {
        let mut random = Zeroizing::new([0_u8; 32]);
        getrandom::fill(random.as_mut_slice()).map_err(|error| PasswordError::Broken(error.to_string()))?;
        Ok(Self {
            working: Arc::new(Semaphore::new(AT_ONCE_MAX)),
            admitted: Arc::new(Semaphore::new(WAITING_MAX)),
            verified: Mutex::new(Verified::new().map_err(PasswordError::Broken)?),
            nobody: hash(random.as_slice())?,
        })
    }

    /// The PHC string of a secret.
    pub(super) async fn hash(&self, secret: &[u8]) -> Result<String, PasswordError> {
        let secret = Zeroizing::new(secret.to_vec());
        self.work(move || hash(&secret)).await?
    }

    /// Whether it is the password.
    pub(super) async fn check(&self, attempt: Attempt<'_>) -> Result<bool, PasswordError> {
        let mark = {
            let verified = self.verified();
            let mark = verified.mark(attempt.dialect, attempt.account, attempt.stored, attempt.secret);
            if verified.knows(mark, Instant::now()) {
                return Ok(true);
            }
            mark
        };
        let stored = std::str::from_utf8(attempt.stored)
            .map_err(|_| PasswordError::Broken("the stored password is no text".to_owned()))?
            .to_owned();
        let secret = Zeroizing::new(attempt.secret.to_vec());
        let turn = self.turn().await?;
        // Many calls of one client may have waited for the first of them.
        if self.verified().knows(mark, Instant::now()) {
            return Ok(true);
        }
        let right = blocking(turn, move || verify(&stored, &secret)).await??;
        if right {
            self.verified().remember(mark, Instant::now());
        }
        Ok(right)
    }

    /// Takes as long as a wrong password, so that time does not tell which accounts exist.
    pub(super) async fn pretend(&self, secret: &[u8]) -> Result<(), PasswordError> {
        let (stored, secret) = (self.nobody.clone(), Zeroizing::new(secret.to_vec()));
        self.work(move || verify(&stored, &secret)).await?.map(|_| ())
    }

    async fn work<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, PasswordError> {
        let turn = self.turn().await?;
        blocking(turn, work).await
    }

    /// Waits in the queue, or is refused where that is full.
    async fn turn(&self) -> Result<Turn, PasswordError> {
        let admitted = Arc::clone(&self.admitted).try_acquire_owned().map_err(|_| PasswordError::Busy)?;
        let working = Arc::clone(&self.working).acquire_owned().await.map_err(|_| PasswordError::Busy)?;
        Ok(Turn { _admitted: admitted, _working: working })
    }

    fn verified(&self) -> std::sync::MutexGuard<'_, Verified> {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fills the queue, for tests of what happens then.
    #[cfg(test)]
    pub(super) fn fill_queue(&self) -> tokio::sync::SemaphorePermit<'_> {
        self.admitted.try_acquire_many(u32::try_from(WAITING_MAX).unwrap()).unwrap()
    }
}

async fn blocking<T: Send + 'static>(
    turn: Turn,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, PasswordError> {
    let run = move || {
        let _turn = turn;
        work()
    };
    tokio::task::spawn_blocking(run).await.map_err(|error| PasswordError::Broken(error.to_string()))
}

fn argon2() -> Result<Argon2<'static>, PasswordError> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(|error| PasswordError::Broken(error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash(secret: &[u8]) -> Result<String, PasswordError> {
    let broken = |error: argon2::password_hash::Error| PasswordError::Broken(error.to_string());
    let mut salt = [0_u8; 16];
    getrandom::fill(&mut salt).map_err(|error| PasswordError::Broken(error.to_string()))?;
    let salt = SaltString::encode_b64(&salt).map_err(broken)?;
    Ok(argon2()?.hash_password(secret, &salt).map_err(broken)?.to_string())
}

/// Compares in constant time, as the library does. The parameters are those of the stored text.
fn verify(stored: &str, secret: &[u8]) -> Result<bool, PasswordError> {
    let parsed = PasswordHash::new(stored)
        .map_err(|error| PasswordError::Broken(format!("the stored password is no PHC string: {error}")))?;
    match argon2()?.verify_password(secret, &parsed) {
        Ok(()) => Ok(true),
        Err(argon2::password_hash::Error::Password) => Ok(false),
        Err(error) => Err(PasswordError::Broken(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::time::Duration;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn a_caller_that_is_gone_leaves_its_turn_to_the_work_that_runs_on() {
        let passwords = Arc::new(Passwords::new().unwrap());
        let (started, has_started) = oneshot::channel();
        let (go_on, may_go_on) = std::sync::mpsc::channel::<()>();
        let caller = tokio::spawn({
            let passwords = Arc::clone(&passwords);
            async move {
                let work = move || {
                    started.send(()).unwrap();
                    may_go_on.recv().unwrap();
                };
                passwords.work(work).await
            }
        });
        has_started.await.unwrap();
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
        assert_eq!(passwords.working.available_permits(), AT_ONCE_MAX - 1);
        assert_eq!(passwords.admitted.available_permits(), WAITING_MAX - 1);

        go_on.send(()).unwrap();
        let all = passwords.working.acquire_many(u32::try_from(AT_ONCE_MAX).unwrap());
        drop(tokio::time::timeout(Duration::from_secs(30), all).await.unwrap().unwrap());
    }
}
