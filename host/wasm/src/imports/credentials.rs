//! `credentials`: checks over secrets that stay with the host.

use super::mac::{self, Encoding, MacError, Part, Step};
use super::told;
use crate::bindings::dragoman::gateway::{credentials, types};
use crate::check;
use crate::context::Secret;
use crate::export::Access;
use crate::reads::CheckError;
use crate::state::State;

impl credentials::Host for State {
    async fn check_presented(
        &mut self,
        account: Option<String>,
    ) -> wasmtime::Result<Result<credentials::Identity, types::Error>> {
        self.call.enter("credentials.check-presented", Access::Host)?;
        if check::name_option("", account.as_deref()).is_err() {
            return Ok(Err(types::Error::Denied("there is no such account".into())));
        }
        Ok(match self.call.check_presented(account).await {
            Ok(identity) => Ok(credentials::Identity { account: identity.account, rights: identity.rights }),
            Err(CheckError::Denied(text)) => Err(types::Error::Denied(text)),
            Err(CheckError::Unavailable(text)) => Err(types::Error::Unavailable(text)),
            Err(CheckError::Internal(text)) => Err(types::Error::Internal(text)),
        })
    }

    async fn verify_mac(&mut self, steps: Vec<credentials::MacStep>) -> wasmtime::Result<Result<bool, types::Error>> {
        let presented = self.call.enter("credentials.verify-mac", Access::Host)?.presented.clone();
        let Some(presented) = presented else {
            return Ok(Err(types::Error::Denied("the client presented no credential".into())));
        };
        if let Err(fault) = check::count("steps of a MAC", steps.len(), 1, mac::STEPS_MAX) {
            return Ok(Err(super::refusal(fault)));
        }
        let mut resolved = Vec::with_capacity(steps.len());
        for step in steps {
            if let Err(fault) = check::count("terms of a MAC", step.data.len(), 0, check::ITEMS_MAX) {
                return Ok(Err(super::refusal(fault)));
            }
            let key = match self.part(step.key).await {
                Ok(key) => key,
                Err(error) => return Ok(Err(error)),
            };
            let mut data = Vec::with_capacity(step.data.len());
            for term in step.data {
                match self.part(term).await {
                    Ok(part) => data.push(part),
                    Err(error) => return Ok(Err(error)),
                }
            }
            let encoding = match step.encoding {
                credentials::Encoding::Raw => Encoding::Raw,
                credentials::Encoding::HexLower => Encoding::HexLower,
                credentials::Encoding::Base64 => Encoding::Base64,
            };
            resolved.push(Step { key, data, encoding });
        }
        Ok(mac::verify(&resolved, presented.secret.expose())
            .map_err(|MacError::NoPrevious| types::Error::Invalid("the first step has no step before it".into())))
    }
}

impl State {
    async fn part(&mut self, term: credentials::Term) -> Result<Part, types::Error> {
        match term {
            credentials::Term::Bytes(bytes) => Ok(Part::Bytes(Secret::new(bytes))),
            credentials::Term::Previous => Ok(Part::Previous),
            credentials::Term::Secret(account) => {
                let unknown = || types::Error::NotFound("the account has no secret that can be a key".into());
                if check::name("", &account).is_err() {
                    return Err(unknown());
                }
                self.call.secret(account).await.map_err(told)?.map(Part::Bytes).ok_or_else(unknown)
            }
        }
    }
}
