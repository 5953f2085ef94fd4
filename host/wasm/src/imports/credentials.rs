//! `credentials`: checks over secrets that stay with the host.

use super::jwt::{self, ReadAs};
use super::mac::{self, Encoding, MacError, Part, Step};
use super::told;
use crate::access::Import;
use crate::bindings::dragoman::gateway::{credentials, types};
use crate::check;
use crate::context::Secret;
use crate::reads::{CheckError, Identity};
use crate::state::State;

/// A password, in bytes.
const PASSWORD_MAX_BYTES: usize = 1024;

impl credentials::Host for State {
    async fn check_presented(
        &mut self,
        account: Option<String>,
    ) -> wasmtime::Result<Result<credentials::Identity, types::Error>> {
        self.call.enter(Import::CheckPresented)?;
        if check::name_option("", account.as_deref()).is_err() {
            return Ok(Err(types::Error::Denied("there is no such account".into())));
        }
        Ok(identity(self.call.check_presented(account).await))
    }

    async fn check_password(
        &mut self,
        account: String,
        password: String,
    ) -> wasmtime::Result<Result<credentials::Identity, types::Error>> {
        self.call.enter(Import::CheckPassword)?;
        let password = Secret::new(password.into_bytes());
        if check::name("", &account).is_err() || password.expose().len() > PASSWORD_MAX_BYTES {
            return Ok(Err(types::Error::Denied("the credential does not fit".into())));
        }
        Ok(identity(self.call.check_password(account, password).await))
    }

    async fn sign_jwt(
        &mut self,
        key: String,
        read_as: credentials::Encoding,
        claims: String,
    ) -> wasmtime::Result<Result<String, types::Error>> {
        self.call.enter(Import::SignJwt)?;
        if let Err(fault) = self.call.facts.bounds.json_object("the claims of a token", &claims, false) {
            return Ok(Err(super::refusal(fault)));
        }
        Ok(match self.jwt_key(key, read_as).await {
            Ok(key) => jwt::sign(&key, &claims).map_err(|told| types::Error::Limit(told.into())),
            Err(error) => Err(error),
        })
    }

    async fn verify_jwt(
        &mut self,
        key: String,
        read_as: credentials::Encoding,
        token: Option<String>,
    ) -> wasmtime::Result<Result<String, types::Error>> {
        let presented = self.call.enter(Import::VerifyJwt)?.presented.clone();
        let token = match (token, presented) {
            (Some(token), _) => Secret::new(token.into_bytes()),
            (None, Some(presented)) => presented.secret,
            (None, None) => return Ok(Err(types::Error::Denied("the client presented no credential".into()))),
        };
        let key = match self.jwt_key(key, read_as).await {
            Ok(key) => key,
            Err(error) => return Ok(Err(error)),
        };
        let bounds = self.call.facts.bounds;
        Ok(match jwt::verify(&key, token.expose()) {
            Ok(claims) if bounds.json_object("the claims", &claims, false).is_ok() => Ok(claims),
            Ok(_) => Err(types::Error::Denied("its claims are not a JSON object".into())),
            Err(told) => Err(types::Error::Denied(told.into())),
        })
    }

    async fn verify_mac(&mut self, steps: Vec<credentials::MacStep>) -> wasmtime::Result<Result<bool, types::Error>> {
        let presented = self.call.enter(Import::VerifyMac)?.presented.clone();
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

fn identity(checked: Result<Identity, CheckError>) -> Result<credentials::Identity, types::Error> {
    match checked {
        Ok(identity) => Ok(credentials::Identity { account: identity.account, rights: identity.rights }),
        Err(CheckError::Denied(text)) => Err(types::Error::Denied(text)),
        Err(CheckError::Unavailable(text)) => Err(types::Error::Unavailable(text)),
        Err(CheckError::Internal(text)) => Err(types::Error::Internal(text)),
    }
}

impl State {
    /// The key that an account's secret stands for.
    async fn jwt_key(&mut self, account: String, read_as: credentials::Encoding) -> Result<Secret, types::Error> {
        let read_as = match read_as {
            credentials::Encoding::Raw => ReadAs::Raw,
            credentials::Encoding::HexLower => ReadAs::Hex,
            credentials::Encoding::Base64 => ReadAs::Base64,
        };
        let secret = self.account_secret(account).await?;
        jwt::key(&secret, read_as).map_err(|told| types::Error::Invalid(told.into()))
    }

    /// The secret of an account, where it has one that can be a key.
    async fn account_secret(&mut self, account: String) -> Result<Secret, types::Error> {
        let unknown = || types::Error::NotFound("the account has no secret that can be a key".into());
        if check::name("", &account).is_err() {
            return Err(unknown());
        }
        self.call.secret(account).await.map_err(told)?.ok_or_else(unknown)
    }

    async fn part(&mut self, term: credentials::Term) -> Result<Part, types::Error> {
        match term {
            credentials::Term::Bytes(bytes) => Ok(Part::Bytes(Secret::new(bytes))),
            credentials::Term::Previous => Ok(Part::Previous),
            credentials::Term::Secret(account) => self.account_secret(account).await.map(Part::Bytes),
        }
    }
}
