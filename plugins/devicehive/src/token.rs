//! Tokens (sheet section 4): `token`, `token/create`, `token/refresh` and `authenticate`.

use crate::actions::Call;
use crate::answer::{ApiError, Done, Failure, member};
use crate::caller::{Caller, Notes};
use crate::members::Members;
use crate::permission::{Actions, Permission, Scope};
use crate::settings::Settings;
use crate::{login, policy, users};
use dragoman_plugin_sdk::{Encoding, Error, Gateway, json, time};
use serde::{Deserialize, Serialize};

/// The claims of a token.
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    payload: Payload,
}

/// Members in the platform's order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Payload {
    /// User id.
    u: i64,
    /// Actions by number.
    a: Actions,
    /// Networks.
    n: Scope,
    /// Device types.
    dt: Scope,
    /// Expiry, milliseconds since 1970.
    e: u64,
    /// 0 refresh, 1 access.
    t: u8,
}

const REFRESH: u8 = 0;
const ACCESS: u8 = 1;

impl Payload {
    fn of(caller: &Caller, expires_ms: u64, kind: u8) -> Self {
        let Caller { user, actions, networks, device_types, .. } = caller.clone();
        Self { u: user, a: actions, n: networks, dt: device_types, e: expires_ms, t: kind }
    }

    fn caller(self) -> Caller {
        Caller { user: self.u, actions: self.a, networks: self.n, device_types: self.dt, expires_ms: Some(self.e) }
    }
}

fn sign(gateway: &impl Gateway, settings: &Settings, payload: Payload) -> Result<String, Failure> {
    let claims = serde_json::to_string(&Claims { payload }).map_err(|error| Error::Internal(error.to_string()))?;
    Ok(gateway.sign_jwt(&settings.jwt_account, Encoding::Base64, &claims)?)
}

/// What a token says that this gateway signed, expired or not; `None` for any other text.
fn verify(gateway: &impl Gateway, settings: &Settings, token: &str) -> Result<Option<Payload>, Failure> {
    match gateway.verify_jwt(&settings.jwt_account, Encoding::Base64, Some(token)) {
        Ok(claims) => Ok(json::parse_object::<Claims>(&claims).ok().map(|claims| claims.payload)),
        Err(Error::Denied(_) | Error::Invalid(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Access and refresh token of a caller.
fn pair<G: Gateway>(call: &Call<'_, G>, caller: &Caller, life: Life) -> Result<Done, Failure> {
    let now_ms = call.gateway.now_ms();
    let expires_ms = |given: Option<u64>, life_ms: u64| given.unwrap_or_else(|| now_ms.saturating_add(life_ms));
    let access = expires_ms(life.access_until_ms, call.settings.access_token_max_age_ms);
    let refresh = expires_ms(life.refresh_until_ms, call.settings.refresh_token_max_age_ms);
    let signed = |expires_ms, kind| sign(call.gateway, call.settings, Payload::of(caller, expires_ms, kind));
    Ok(Done::Reply(vec![
        member("accessToken", &signed(access, ACCESS)?)?,
        member("refreshToken", &signed(refresh, REFRESH)?)?,
    ]))
}

/// Until when tokens are to be good; none: the settings say.
#[derive(Clone, Copy, Default)]
struct Life {
    access_until_ms: Option<u64>,
    refresh_until_ms: Option<u64>,
}

/// `token`: by login and password.
pub(crate) fn token<G: Gateway>(call: &Call<'_, G>) -> Result<Done, Failure> {
    let text = |name| call.request.members.text(name).ok().flatten().filter(|text| !text.is_empty());
    let (Some(login), Some(password)) = (text("login"), text("password")) else {
        return Err(ApiError::new(400, "Invalid or empty authorization request parameters").into());
    };
    let user = login::by_password(call.gateway, call.settings, &login, &password)?;
    users::note_login(call.gateway, &user)?;
    pair(call, &user.caller(None), Life::default())
}

/// `token/refresh`: a fresh access token with what the refresh token grants.
pub(crate) fn refresh<G: Gateway>(call: &Call<'_, G>) -> Result<Done, Failure> {
    let token = call.request.members.text("refreshToken").ok().flatten().filter(|token| !token.is_empty());
    let token = token.ok_or_else(ApiError::unauthorized)?;
    let payload = verify(call.gateway, call.settings, &token)?.ok_or_else(invalid_credentials)?;
    if payload.t != REFRESH {
        return Err(ApiError::new(401, "Invalid token type").into());
    }
    if payload.e <= call.gateway.now_ms() {
        return Err(ApiError::new(401, "Token has expired").into());
    }
    let expires_ms = call.gateway.now_ms().saturating_add(call.settings.access_token_max_age_ms);
    let access = sign(call.gateway, call.settings, Payload { e: expires_ms, t: ACCESS, ..payload })?;
    Ok(Done::Reply(vec![member("accessToken", &access)?]))
}

/// `token/create`: tokens for a user, never with more than the caller has.
pub(crate) fn create<G: Gateway>(call: &Call<'_, G>) -> Result<Done, Failure> {
    let caller = call.require(Permission::ManageToken)?;
    let payload = call.request.members.object("payload")?;
    let payload = payload.ok_or_else(|| ApiError::new(400, "Missing or invalid payload in request"))?;
    let user = payload.number("userId").ok().flatten().ok_or_else(|| ApiError::wrong_id("User"))?;
    if user != caller.user {
        if !caller.is_admin() {
            return Err(ApiError::denied().into());
        }
        users::find(call.gateway, user)?.ok_or_else(|| ApiError::not_found("User", user))?;
    }
    let wanted = wanted(caller, user, &payload)?;
    let allowed = caller.actions.cover(&wanted.actions)
        && caller.networks.covers(&wanted.networks)
        && caller.device_types.covers(&wanted.device_types);
    if !allowed {
        return Err(ApiError::denied().into());
    }
    let until = |name| match payload.text(name)? {
        None => Ok(None),
        Some(text) => time::iso_8601(&text).map(Some).ok_or_else(|| Failure::from(ApiError::invalid())),
    };
    let life = Life { access_until_ms: until("expiration")?, refresh_until_ms: until("refreshExpiration")? };
    pair(call, &wanted, life)
}

/// What a payload asks for; what it leaves out is the caller's own, but never more than a client's actions.
fn wanted(caller: &Caller, user: i64, payload: &Members) -> Result<Caller, Failure> {
    let actions = match payload.texts("actions")? {
        None => Actions::client(),
        Some(names) => Actions::of_names(&names).ok_or_else(ApiError::invalid)?,
    };
    let scope = |name, own: &Scope| match payload.raw(name) {
        None => Ok(own.clone()),
        Some(raw) => json::parse::<Scope>(raw.get()).map_err(|_| Failure::from(ApiError::invalid())),
    };
    let networks = scope("networkIds", &caller.networks)?;
    let device_types = scope("deviceTypeIds", &caller.device_types)?;
    Ok(Caller { user, actions, networks, device_types, expires_ms: None })
}

/// `authenticate`: the session is from now on who the token says, and may do what it grants.
pub(crate) fn authenticate<G: Gateway>(call: &Call<'_, G>) -> Result<Done, Failure> {
    let token = call.request.members.text("token").ok().flatten().filter(|token| !token.is_empty());
    let token = token.ok_or_else(ApiError::unauthorized)?;
    let payload = verify(call.gateway, call.settings, &token)?.filter(|payload| payload.t == ACCESS);
    let payload = payload.ok_or_else(invalid_credentials)?;
    if payload.e <= call.gateway.now_ms() {
        return Err(ApiError::new(401, "Token expired").into());
    }
    let caller = payload.caller();
    let policy = policy::of(call.settings, &call.session.client_id, &caller)?;
    let principal = principal(&caller);
    let subscriptions = call.notes.subscriptions.clone();
    let notes = Notes { caller: Some(caller), user: None, subscriptions };
    notes.write(call.gateway, &call.session.id)?;
    call.gateway.set_policy(&call.session.id, Some(&principal), &policy)?;
    Ok(Done::Reply(Vec::new()))
}

/// The name under which the gateway knows the user of a session.
pub(crate) fn principal(caller: &Caller) -> String {
    format!("user/{}", caller.user)
}

fn invalid_credentials() -> ApiError {
    ApiError::new(401, "Invalid credentials")
}
