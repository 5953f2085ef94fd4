//! `command/insert`: a command for any device that has an id of the platform.

use crate::actions::Call;
use crate::answer::{self, ApiError, Asker, Done, Failure, member};
use crate::caller::Caller;
use crate::command::{Context, Inserted};
use crate::device::HiveDevice;
use crate::members::Members;
use crate::permission::Permission;
use crate::{intents, labels, ring, topics};
use dragoman_plugin_sdk::{Error, Gateway, Intent, Settlement, Stage, Submission, Wait, WhenAway, json, time};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

const NAME_CHARS_MAX: usize = 128;

/// The time to live that the gateway takes, in seconds: 49 days.
const TTL_MAX_S: i64 = 4_233_600;

/// What is kept until the gateway has accepted the command.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Waiting {
    session: String,
    client_id: String,
    action: String,
    request_id: Option<Box<RawValue>>,
    device_id: String,
}

/// A command as a client words it.
#[derive(Debug)]
struct Draft {
    name: String,
    parameters: Option<Box<RawValue>>,
    timestamp_ms: Option<u64>,
    /// Seconds.
    lifetime: Option<i64>,
    status: Option<String>,
    result: Option<Box<RawValue>>,
}

impl Draft {
    fn read(members: &Members, default_name: Option<&str>) -> Result<Self, Failure> {
        let name = members.text("command")?.or_else(|| default_name.map(str::to_owned));
        let name = name.filter(|name| !name.is_empty()).ok_or_else(|| ApiError::required("Command"))?;
        // The name stands in the topic of its events.
        if name.chars().count() > NAME_CHARS_MAX || !topics::is_plain(&name) {
            return Err(ApiError::invalid().into());
        }
        let timestamp_ms = match members.text("timestamp")? {
            None => None,
            Some(text) => Some(time::iso_8601(&text).ok_or_else(ApiError::invalid)?),
        };
        Ok(Self {
            name,
            parameters: members.kept("parameters"),
            timestamp_ms,
            lifetime: members.number("lifetime")?,
            status: members.text("status")?,
            result: members.kept("result"),
        })
    }
}

pub(crate) fn insert<G: Gateway>(call: &Call<'_, G>) -> Result<Done, Failure> {
    let caller = call.require(Permission::CreateDeviceCommand)?;
    let device = call.device(caller)?;
    let members = call.request.members.object("command")?.ok_or_else(|| ApiError::required("Command"))?;
    submit(call, caller, &device, &members, None)
}

/// Submits a command; its answer waits until the gateway has accepted it.
pub(crate) fn submit<G: Gateway>(
    call: &Call<'_, G>,
    caller: &Caller,
    device: &HiveDevice,
    members: &Members,
    default_name: Option<&str>,
) -> Result<Done, Failure> {
    let Draft { name, parameters, timestamp_ms, lifetime, status, result } = Draft::read(members, default_name)?;
    let bytes = [&parameters, &result].into_iter().flatten().map(|raw| raw.get().len()).sum::<usize>();
    if bytes > json::EMBEDDED_BYTES_MAX {
        let text = format!("A command has at most {} bytes.", json::EMBEDDED_BYTES_MAX);
        return Err(ApiError::new(400, text).into());
    }
    let ours = device.is_ours();
    let intent = match ours {
        true => intents::invocation(&name, parameters.as_deref()),
        false => intents::of_command(call.settings, &name, parameters.as_deref()),
    };
    let is_in_intent = match (&intent, &parameters) {
        (Intent::Invoke(invocation), Some(parameters)) => invocation.params == parameters.get(),
        (_, None) => true,
        _ => false,
    };
    let id = ring::next_id(call.gateway, "command");
    let context = Context {
        id,
        session: call.session.id.clone(),
        user: caller.user,
        device_id: device.id.clone(),
        network_id: device.profile.network_id,
        device_type_id: device.profile.device_type_id,
        ours,
        name: name.clone(),
        parameters: parameters.filter(|_| !is_in_intent),
        timestamp_ms,
        lifetime,
        status: status.clone(),
        result,
    };
    let mut command = Submission::new(device.record.id.clone(), intent);
    command.alias = Some(id.to_string());
    command.context = Some(ring::text_of(&context)?);
    command.labels = labels::of_command(&context, &name, status.as_deref());
    command.ttl_ms = Some(ttl_ms(lifetime, call.settings.ttl_default_s));
    command.succeeds_at = Some(Stage::Ended);
    command.when_away = Some(WhenAway::Queue);
    call.gateway.submit(command);
    let asker = call.asker();
    let waiting = Waiting {
        session: asker.session.to_owned(),
        client_id: asker.client_id.to_owned(),
        action: asker.action.to_owned(),
        request_id: asker.request_id.map(ToOwned::to_owned),
        device_id: device.id.clone(),
    };
    Ok(Done::Wait(Wait { context: ring::text_of(&waiting)?, until: Stage::Accepted }))
}

/// The platform stores `lifetime` and never looks at it again; here it is how long the gateway waits for an end.
fn ttl_ms(lifetime: Option<i64>, default_s: u32) -> u32 {
    let seconds = lifetime.filter(|seconds| *seconds > 0).unwrap_or_else(|| i64::from(default_s)).min(TTL_MAX_S);
    u32::try_from(seconds.saturating_mul(1_000)).unwrap_or(u32::MAX)
}

/// Answers who inserted a command: with its id, or with the reason why it was not accepted.
pub(crate) fn settled(gateway: &impl Gateway, context: &str, settlements: &[Settlement]) -> Result<(), Error> {
    let waiting: Waiting = json::parse_object(context).map_err(|broken| Error::Internal(broken.text().to_owned()))?;
    let answer = match settlements {
        [Settlement { settled: Ok(execution), .. }] => {
            let context = Context::of(execution)?;
            Ok(vec![member("command", &Inserted::of(execution, &context))?])
        }
        [Settlement { settled: Err(reason), .. }] => Err(ApiError::of(reason, &waiting.device_id)),
        other => return Err(Error::Internal(format!("an insert submits one command, {} were settled", other.len()))),
    };
    let asker = Asker {
        session: &waiting.session,
        client_id: &waiting.client_id,
        action: &waiting.action,
        request_id: waiting.request_id.as_deref(),
    };
    answer::publish(gateway, asker, &answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_the_time_to_live_within_its_bounds() {
        for (lifetime, expected) in
            [(None, 60_000), (Some(0), 60_000), (Some(-5), 60_000), (Some(7), 7_000), (Some(i64::MAX), 4_233_600_000)]
        {
            assert_eq!(ttl_ms(lifetime, 60), expected, "{lifetime:?}");
        }
    }

    #[test]
    fn a_command_is_read_or_refused() {
        let read = |text: &str, name: Option<&str>| match Draft::read(&Members::parse(text).unwrap(), name) {
            Ok(draft) => Ok(draft.name),
            Err(Failure::Answer(error)) => Err(error.text.into_owned()),
            Err(Failure::Fault(error)) => panic!("{error:?}"),
        };
        assert_eq!(read(r#"{"command":"on"}"#, None), Ok("on".to_owned()));
        assert_eq!(read("{}", Some("light")), Ok("light".to_owned()));
        assert_eq!(read(r#"{"command":"on"}"#, Some("light")), Ok("on".to_owned()));
        let long = format!(r#"{{"command":"{}"}}"#, "x".repeat(129));
        for (text, expected) in [
            ("{}", "Command is required"),
            (r#"{"command":""}"#, "Command is required"),
            (r#"{"command":null}"#, "Command is required"),
            (r#"{"command":{}}"#, "Invalid request parameters"),
            (r#"{"command":"a+b"}"#, "Invalid request parameters"),
            (r#"{"command":"a\u0000"}"#, "Invalid request parameters"),
            (&long, "Invalid request parameters"),
            (r#"{"command":"on","timestamp":"soon"}"#, "Invalid request parameters"),
            (r#"{"command":"on","lifetime":"soon"}"#, "Invalid request parameters"),
            (r#"{"command":"on","lifetime":1e99}"#, "Invalid request parameters"),
            (r#"{"command":"on","status":[]}"#, "Invalid request parameters"),
        ] {
            let read = Draft::read(&Members::parse(text).unwrap(), None);
            let Err(Failure::Answer(error)) = read else { panic!("{text} is refused") };
            assert_eq!(error.text, expected, "{text}");
        }
    }
}
