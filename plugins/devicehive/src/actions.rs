//! `dh/request`: one action each, told apart by the member `action`.

use crate::answer::{self, ApiError, Asker, Done, Failure};
use crate::caller::{Caller, Notes};
use crate::device::HiveDevice;
use crate::members::Members;
use crate::permission::Permission;
use crate::settings::{Settings, TokenExpiry};
use crate::{
    catalogue, command_insert, command_read, command_update, device_read, device_save, notification_actions, server,
    subscription, token, users,
};
use dragoman_plugin_sdk::{Error, Gateway, Message, Payload, Session, Severity, Wait};
use serde_json::value::RawValue;

/// Bytes of the name of an action.
const ACTION_BYTES_MAX: usize = 128;
/// Bytes of a request id, as it is written.
const REQUEST_ID_BYTES_MAX: usize = 4_096;

/// A request as it came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    /// Empty where it has none that is text.
    pub(crate) action: String,
    /// Any JSON, told back as it was written; none where it is too long.
    pub(crate) request_id: Option<Box<RawValue>>,
    pub(crate) members: Members,
}

impl Request {
    /// Reads an object. An action that is longer than any of the platform's is none, for each answer repeats it.
    pub(crate) fn read(payload: &Payload) -> Option<Self> {
        let Payload::Text(text) = payload else { return None };
        let members = Members::parse(text)?;
        let action = match members.is_other_than_text("action") {
            true => None,
            false => members.text("action").ok().flatten().filter(|action| action.len() <= ACTION_BYTES_MAX),
        };
        let request_id = members.kept("requestId").filter(|id| id.get().len() <= REQUEST_ID_BYTES_MAX);
        Some(Self { action: action.unwrap_or_default(), request_id, members })
    }

    /// Refuses one whose id is too long to be repeated.
    pub(crate) fn check_id(&self) -> Result<(), ApiError> {
        if self.request_id.is_none() && self.members.raw("requestId").is_some() {
            return Err(ApiError::new(400, format!("A requestId has at most {REQUEST_ID_BYTES_MAX} bytes.")));
        }
        Ok(())
    }
}

/// An action that is being carried out.
pub(crate) struct Call<'a, G: Gateway> {
    pub(crate) gateway: &'a G,
    pub(crate) settings: &'a Settings,
    pub(crate) session: &'a Session,
    pub(crate) notes: &'a Notes,
    pub(crate) request: &'a Request,
}

impl<G: Gateway> Call<'_, G> {
    /// Who asks, if they may: 401 for nobody, 403 for somebody without the permission. It comes before any argument is
    /// looked at.
    pub(crate) fn require(&self, permission: Permission) -> Result<&Caller, Failure> {
        let caller = self.caller()?;
        caller.require(permission)?;
        Ok(caller)
    }

    /// Who asks; 401 for nobody, and for somebody whose token has expired.
    pub(crate) fn caller(&self) -> Result<&Caller, Failure> {
        Ok(live(self.gateway, self.settings, self.notes)?)
    }

    /// The device that the request names, if the caller may see it.
    pub(crate) fn device(&self, caller: &Caller) -> Result<HiveDevice, Failure> {
        Ok(caller.device(self.gateway, self.request.members.text("deviceId").ok().flatten().as_deref())?)
    }

    /// An id that the request must have: 400 where it is missing or no number.
    pub(crate) fn id(&self, name: &str, of: &str) -> Result<i64, Failure> {
        let id = self.request.members.number(name).ok().flatten();
        Ok(id.ok_or_else(|| ApiError::wrong_id(of))?)
    }

    pub(crate) fn asker(&self) -> Asker<'_> {
        Asker {
            session: &self.session.id,
            client_id: &self.session.client_id,
            action: &self.request.action,
            request_id: self.request.request_id.as_deref(),
        }
    }
}

/// The caller of a session, unless nobody authenticated it or its token has expired.
pub(crate) fn live<'a>(gateway: &impl Gateway, settings: &Settings, notes: &'a Notes) -> Result<&'a Caller, ApiError> {
    let caller = notes.caller.as_ref().ok_or_else(ApiError::unauthorized)?;
    let expired = caller.expires_ms.is_some_and(|expires_ms| expires_ms <= gateway.now_ms());
    if expired && settings.token_expiry == TokenExpiry::EachRequest {
        return Err(ApiError::new(401, "Token expired"));
    }
    Ok(caller)
}

/// Carries out what a client asks for on `dh/request`.
pub(crate) fn handle(gateway: &impl Gateway, session: &Session, message: &Message) -> Result<Option<Wait>, Error> {
    let settings = Settings::read(gateway)?;
    let notes = Notes::read(gateway, &session.id)?;
    let read = Request::read(&message.payload);
    let malformed = read.is_none();
    let request = read.unwrap_or_default();
    let call = Call { gateway, settings: &settings, session, notes: &notes, request: &request };
    let done = if malformed { Err(ApiError::malformed().into()) } else { run(&call) };
    conclude(&call, done)
}

/// Answers what came of an action, or hands on what it waits for.
pub(crate) fn conclude<G: Gateway>(call: &Call<'_, G>, done: Result<Done, Failure>) -> Result<Option<Wait>, Error> {
    let answer = match done {
        Ok(Done::Wait(wait)) => return Ok(Some(wait)),
        Ok(Done::Answered) => return Ok(None),
        Ok(Done::Reply(members)) => Ok(members),
        Err(Failure::Answer(error)) => Err(error),
        // The client would wait for ever: it is told, and the operator too.
        Err(Failure::Fault(error @ (Error::NotFound(_) | Error::Unavailable(_)))) => {
            call.gateway.log(Severity::Error, &format!("{} failed: {error:?}", call.request.action));
            Err(ApiError::new(500, "Internal server error"))
        }
        Err(Failure::Fault(error)) => return Err(error),
    };
    answer::publish(call.gateway, call.asker(), &answer)?;
    Ok(None)
}

fn run<G: Gateway>(call: &Call<'_, G>) -> Result<Done, Failure> {
    use crate::catalogue::Catalogue::{DeviceTypes, Networks};
    use crate::subscription::Topic::{Commands, Notifications};
    call.request.check_id()?;
    match call.request.action.as_str() {
        "" => Err(ApiError::no_action().into()),

        "token" => token::token(call),
        "token/create" => token::create(call),
        "token/refresh" => token::refresh(call),
        "authenticate" => token::authenticate(call),

        "server/info" => server::info(call),
        "server/cacheInfo" => server::cache_info(call),
        "cluster/info" => server::cluster_info(call),

        "device/get" => device_read::get(call),
        "device/list" => device_read::list(call),
        "device/count" => device_read::count(call),
        "device/save" => device_save::save(call),
        "device/delete" => device_save::delete(call),

        "command/insert" => command_insert::insert(call),
        "command/update" => command_update::update(call),
        "command/get" => command_read::get(call),
        "command/list" => command_read::list(call),
        "command/subscribe" => subscription::subscribe(call, Commands),
        "command/unsubscribe" => subscription::unsubscribe(call, Commands),

        "notification/insert" => notification_actions::insert(call),
        "notification/get" => notification_actions::get(call),
        "notification/list" => notification_actions::list(call),
        "notification/subscribe" => subscription::subscribe(call, Notifications),
        "notification/unsubscribe" => subscription::unsubscribe(call, Notifications),
        "subscription/list" => subscription::list(call),

        "network/get" => catalogue::get(call, Networks),
        "network/list" => catalogue::list(call, Networks),
        "network/count" => catalogue::count(call, Networks),
        "devicetype/get" => catalogue::get(call, DeviceTypes),
        "devicetype/list" => catalogue::list(call, DeviceTypes),
        "devicetype/count" => catalogue::count(call, DeviceTypes),
        "user/get" => users::get(call),
        "user/list" => users::list(call),
        "user/count" => users::count(call),
        "user/getCurrent" => users::current(call),
        "configuration/get" => server::configuration(call),

        action => Err(ApiError::illegal_action(action).into()),
    }
}
