//! A command as the platform shows it, and where it is found: as an execution of this dialect or, where it came by
//! another dialect for a device of this one, among the kept commands.

use crate::device::HiveDevice;
use crate::settings::Settings;
use crate::topics::Kind;
use crate::{NAME, commands_kept, instant, status};
use dragoman_plugin_sdk::{Error, Execution, Gateway, Intent, Selection, json, outcome};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

/// Executions that one call looks at.
const READ_MAX: usize = 1_000;
/// Executions that are read at once. Each may be as large as a message.
const STEP: u32 = 50;
/// Bytes of what one call finds: it may publish 16 MiB.
const READ_BYTES_MAX: usize = 8 * 1_024 * 1_024;

/// All that the platform says about a command; members that are null are left out.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Command {
    pub(crate) id: i64,
    pub(crate) command: String,
    #[serde(with = "written")]
    pub(crate) timestamp: u64,
    #[serde(with = "written")]
    pub(crate) last_updated: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user_id: Option<i64>,
    pub(crate) device_id: String,
    pub(crate) network_id: i64,
    pub(crate) device_type_id: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) parameters: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lifetime: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) result: Option<Box<RawValue>>,
}

/// Milliseconds here, the platform's text outside.
mod written {
    use crate::instant;
    use dragoman_plugin_sdk::time;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields so")]
    pub(super) fn serialize<S: Serializer>(at_ms: &u64, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&instant::text(*at_ms))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        let text = String::deserialize(from)?;
        time::iso_8601(&text).ok_or_else(|| D::Error::custom("no instant"))
    }
}

/// What is kept with an execution of this dialect.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Context {
    pub(crate) id: i64,
    /// The session that inserted it.
    pub(crate) session: String,
    pub(crate) user: i64,
    pub(crate) device_id: String,
    pub(crate) network_id: i64,
    pub(crate) device_type_id: i64,
    /// Whether this dialect reaches the device.
    pub(crate) ours: bool,
    pub(crate) name: String,
    /// As they came; none where they are the intent's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) parameters: Option<Box<RawValue>>,
    pub(crate) timestamp_ms: Option<u64>,
    pub(crate) lifetime: Option<i64>,
    pub(crate) status: Option<String>,
    pub(crate) result: Option<Box<RawValue>>,
}

/// What an update changes, noted with the execution.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Update {
    pub(crate) status: Option<String>,
    pub(crate) result: Option<Box<RawValue>>,
    pub(crate) at_ms: u64,
}

/// A note of this dialect among those of others.
#[derive(Serialize, Deserialize)]
struct Note {
    devicehive: Update,
}

impl Update {
    /// As the note of an execution.
    pub(crate) fn note(&self) -> Result<String, Error> {
        to_raw_value(&Note { devicehive: self.clone() })
            .map(|raw| raw.get().to_owned())
            .map_err(|error| Error::Internal(error.to_string()))
    }

    fn of(execution: &Execution) -> Option<Self> {
        json::parse_object::<Note>(execution.last_note.as_deref()?).ok().map(|note| note.devicehive)
    }
}

impl Context {
    pub(crate) fn of(execution: &Execution) -> Result<Self, Error> {
        let text = execution.context.as_deref().unwrap_or_default();
        json::parse_object(text)
            .map_err(|broken| Error::Internal(format!("context of {}: {}", execution.id, broken.text())))
    }

    /// Whether the end of the execution is something that no update has told: the device speaks another dialect, or a
    /// handler made more of the command than one message.
    pub(crate) fn is_told_by_its_end(&self, execution: &Execution) -> bool {
        !self.ours || !outcome::is_plain(execution)
    }
}

impl Command {
    /// An execution of this dialect. What was said last counts: an update by a client, or the end.
    pub(crate) fn of(settings: &Settings, execution: &Execution, context: &Context) -> Self {
        let parameters = match (&context.parameters, &execution.intent) {
            (Some(parameters), _) => Some(parameters.clone()),
            (None, Intent::Invoke(invocation)) if invocation.params.trim() != "null" => {
                Some(json::raw(&invocation.params))
            }
            (None, _) => None,
        };
        let timestamp = context.timestamp_ms.unwrap_or(execution.created_ms);
        let mut command = Self {
            id: context.id,
            command: context.name.clone(),
            timestamp,
            last_updated: timestamp,
            user_id: Some(context.user),
            device_id: context.device_id.clone(),
            network_id: context.network_id,
            device_type_id: context.device_type_id,
            parameters,
            lifetime: context.lifetime,
            status: context.status.clone(),
            result: context.result.clone(),
        };
        let said = Update::of(execution).or_else(|| progress(settings, execution, context));
        let said_ms = said.as_ref().map_or(0, |update| update.at_ms);
        if let Some(update) = said {
            command.change(update);
        }
        if let Some(end) = end(settings, execution, context).filter(|end| end.at_ms > said_ms) {
            command.change(end);
        }
        command
    }

    pub(crate) fn change(&mut self, update: Update) {
        self.status = update.status;
        self.result = update.result;
        self.last_updated = update.at_ms;
    }

    /// What it takes in an event, roughly.
    pub(crate) fn bytes(&self) -> usize {
        let raw = [&self.parameters, &self.result].into_iter().flatten().map(|raw| raw.get().len());
        raw.sum::<usize>() + self.status.as_ref().map_or(0, String::len)
    }

    /// Whether it fits into an event.
    pub(crate) fn fits(&self) -> Result<(), Error> {
        if self.bytes() <= json::EMBEDDED_BYTES_MAX {
            return Ok(());
        }
        Err(Error::Limit(format!("A command with its result has at most {} bytes.", json::EMBEDDED_BYTES_MAX)))
    }

    pub(crate) fn topic(&self, kind: Kind) -> String {
        kind.topic(self.network_id, self.device_type_id, &self.device_id, &self.command)
    }
}

/// What a device of another dialect told of its work on an open command.
fn progress(settings: &Settings, execution: &Execution, context: &Context) -> Option<Update> {
    let told = execution.last_note.as_deref().filter(|_| !context.ours && !outcome::is_final(execution.state))?;
    let status = Some(settings.status_words.progress.clone());
    Some(Update { status, result: Some(json::raw(told)), at_ms: execution.updated_ms })
}

/// What the end of an execution is as an update, where it is one.
pub(crate) fn end(settings: &Settings, execution: &Execution, context: &Context) -> Option<Update> {
    let at_ms = execution.ended_ms?;
    if context.is_told_by_its_end(execution) {
        let (status, result) = status::of_end(settings, execution)?;
        return Some(Update { status: Some(status), result, at_ms });
    }
    // The device said nothing: on the platform nobody would.
    let status = settings.expired_status.clone().filter(|_| execution.outcome.is_none())?;
    Some(Update { status: Some(status), result: None, at_ms })
}

/// Where a command was found.
pub(crate) enum Found {
    /// An execution that this dialect submitted.
    Own(Box<Execution>, Context),
    /// A command that came by another dialect.
    Kept(commands_kept::Kept),
}

/// A command of a device by the platform's id.
pub(crate) fn find(gateway: &impl Gateway, device: &HiveDevice, id: i64) -> Result<Option<Found>, Error> {
    if let Some(execution) = gateway.execution_by_alias(&device.record.id, &id.to_string()) {
        let context = Context::of(&execution)?;
        return Ok(Some(Found::Own(Box::new(execution), context)));
    }
    Ok(commands_kept::find(gateway, &device.record.id, id)?.map(Found::Kept))
}

/// Which commands are looked for.
pub(crate) struct Wanted<'a> {
    /// The gateway's id of the device; none: of all.
    pub(crate) device: Option<&'a str>,
    pub(crate) labels: Vec<(String, String)>,
    /// Inserted since, with a time stamp not before it; none: the newest.
    pub(crate) since_ms: Option<u64>,
    /// So many are enough; none: all that are looked at.
    pub(crate) most: Option<usize>,
}

/// Commands that fit, of the 1 000 executions that come first and of the kept ones; `Limit` where that is too much to
/// look at.
pub(crate) fn select(
    gateway: &impl Gateway,
    settings: &Settings,
    wanted: &Wanted<'_>,
    fits: impl Fn(&Command) -> bool,
) -> Result<Vec<Command>, Error> {
    let Wanted { device, labels, since_ms, most } = wanted;
    let fits = |command: &Command| since_ms.is_none_or(|since_ms| command.timestamp >= since_ms) && fits(command);
    let kept = commands_kept::all(gateway, *device)?.into_iter().map(|kept| kept.command);
    let mut found: Vec<_> = kept.filter(fits).collect();
    let selection = Selection {
        device: device.map(str::to_owned),
        states: Vec::new(),
        labels: labels.clone(),
        newest_first: since_ms.is_none(),
    };
    let (mut after, mut own, mut looked_at, mut bytes) = (None::<String>, 0, 0, 0);
    loop {
        let page = gateway.executions_between(&selection, *since_ms, None, after.as_deref(), STEP);
        looked_at += page.items.len();
        for execution in page.items.iter().filter(|execution| execution.origin == NAME) {
            let command = Command::of(settings, execution, &Context::of(execution)?);
            if fits(&command) {
                bytes += command.bytes();
                own += 1;
                found.push(command);
            }
        }
        if bytes > READ_BYTES_MAX {
            return Err(Error::Limit(format!("The commands have more than {READ_BYTES_MAX} bytes. Ask for less.")));
        }
        match page.next {
            Some(next) if looked_at < READ_MAX && most.is_none_or(|most| own < most) => after = Some(next),
            _ => return Ok(found),
        }
    }
}

/// The part of a command that the answer to its insertion shows.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Inserted {
    id: i64,
    timestamp: String,
    last_updated: String,
    user_id: i64,
}

impl Inserted {
    pub(crate) fn of(execution: &Execution, context: &Context) -> Self {
        let timestamp = instant::text(context.timestamp_ms.unwrap_or(execution.created_ms));
        Self { id: context.id, last_updated: timestamp.clone(), timestamp, user_id: context.user }
    }
}
