//! Tables over MQTT whose answers stand in golden files: what was sent, what the sender heard and who else heard of it, which
//! metrics grew, what the log says; and that everything else stands as it stood.
//!
//! MQTT 3.1.1 has no word for a refusal of a message: it is acknowledged and comes to nothing. So the log is part of a row: it
//! tells for which reason. That nothing else was said is shown by a good exchange, whose messages come behind.
//!
//! `UPDATE_GOLDEN=1` writes the files anew.

use crate::cast::Cast;
use crate::golden::{Golden, masked};
use crate::wire::{Heard, Login};
use anyhow::Context;
use dragoman_e2e::World;
use dragoman_e2e::metrics::Metrics;
use dragoman_e2e::wait::{self, SOON};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

/// Configuration of a daemon whose log can be read.
pub(crate) const LOG: &str = "[log]\nformat = \"json\"\nfilter = \"info,dragoman::plugin=debug\"\n";

/// Metrics that tell of bad input. Others, such as of the journal, move all the time.
const METRICS: &[&str] = &[
    "dragoman_device_events_total",
    "dragoman_device_messages_failed_total",
    "dragoman_device_messages_unclaimed_total",
    "dragoman_denied_reports_total",
    "dragoman_late_reports_total",
    "dragoman_mqtt_connects_refused_total",
    "dragoman_mqtt_publishes_refused_total",
    "dragoman_mqtt_subscriptions_refused_total",
    "dragoman_plugin_faults_total",
    "dragoman_stale_reports_total",
];
/// Label of the events that tell who is there. They come by themselves, so a row does not count them.
const PRESENCE: (&str, &str) = ("kind", "presence");
/// Calls of plugins that read what a client sends.
const READERS: [&str; 2] = ["export=\"southbound.handle-message\"", "export=\"topics.handle-message\""];
/// Characters of what was sent that a golden file shows.
const SENT_MAX: usize = 200;
/// Characters of what was heard, and of a line of the log.
const HEARD_MAX: usize = 1_200;

/// Something that somebody should not send.
pub(crate) struct Row {
    what: &'static str,
    /// Who in the cast.
    by: &'static str,
    deed: Deed,
}

/// What is sent.
pub(crate) enum Deed {
    /// Topic and payload. Names of ids in braces stand for the ids.
    Publish(String, Vec<u8>),
    Subscribe(String),
    /// A packet as it is.
    Bytes(Vec<u8>),
    /// A connection of its own.
    Connect(Login),
}

impl Row {
    pub(crate) fn publish(what: &'static str, by: &'static str, topic: &str, payload: impl Into<Vec<u8>>) -> Self {
        Self { what, by, deed: Deed::Publish(topic.to_owned(), payload.into()) }
    }

    pub(crate) fn subscribe(what: &'static str, by: &'static str, filter: &str) -> Self {
        Self { what, by, deed: Deed::Subscribe(filter.to_owned()) }
    }

    pub(crate) fn bytes(what: &'static str, by: &'static str, bytes: Vec<u8>) -> Self {
        Self { what, by, deed: Deed::Bytes(bytes) }
    }

    /// A login; `by` is who speaks in the good exchange behind it.
    pub(crate) fn connect(what: &'static str, by: &'static str, login: Login) -> Self {
        Self { what, by, deed: Deed::Connect(login) }
    }
}

/// A daemon with everything in it that the rows of a table need.
pub(crate) trait Scene {
    fn cast(&mut self) -> &mut Cast;

    /// Names of ids and the ids.
    fn names(&self) -> &[(&'static str, String)];

    /// Everything that must stay as it is.
    async fn standing(&mut self) -> anyhow::Result<String>;

    /// Something good by the same client, which somebody hears of: it leaves nothing in an inbox and changes nothing that
    /// stands. What came to that inbox before it came before it.
    async fn good(&mut self, by: &str) -> anyhow::Result<()>;

    /// Something good that changes what stands, behind each row.
    async fn go_on(&mut self) -> anyhow::Result<()> {
        Ok(())
    }
}

/// Plays every row of a table.
pub(crate) async fn play(name: &str, scene: &mut impl Scene, rows: Vec<Row>) -> anyhow::Result<()> {
    let mut golden = Golden::open(&format!("{name}.mqtt"))?;
    let voices: BTreeSet<_> = rows.iter().map(|row| row.by).collect();
    for by in voices {
        scene.good(by).await.with_context(|| format!("{by}, before anything bad"))?;
    }
    scene.cast().heard();
    for row in rows {
        let text = play_one(scene, &row).await.with_context(|| row.what)?;
        golden.found(row.what, &text);
    }
    golden.check()
}

async fn play_one(scene: &mut impl Scene, row: &Row) -> anyhow::Result<String> {
    let standing = scene.standing().await?;
    let before = scene.cast().world.admin.metrics().await?;
    let log = log_text(&scene.cast().world)?.len();
    let names = scene.names().to_vec();
    let answers = send(scene.cast(), row, &names).await?;
    if answers.contains(&Heard::Gone) {
        // Nothing else tells of it: who broke the rules of MQTT is cut off.
        gone(scene.cast(), &before).await?;
    }
    let after = scene.cast().world.admin.metrics().await?;
    let log = log_text(&scene.cast().world)?.split_off(log);
    if answers.contains(&Heard::Gone) {
        scene.cast().join_again(row.by).await?;
    }
    scene.good(row.by).await.with_context(|| format!("the good exchange behind {answers:?}"))?;

    let show =
        |text: &str| plain(&names.iter().fold(text.to_owned(), |text, (name, id)| text.replace(id, name)), HEARD_MAX);
    let mut text = format!("{}: {}\n{}\n", row.by, row.deed.shown(), shown_answers(&answers));
    let heard = scene.cast().heard().into_iter();
    let heard: Vec<_> =
        heard.map(|(who, topic, payload)| format!("{who} hears {} {}", show(&topic), show(&payload))).collect();
    for same in heard.chunk_by(|one, next| one == next) {
        let times = if same.len() > 1 { format!("{} times: ", same.len()) } else { String::new() };
        let _ = writeln!(text, "{times}{}", same[0]);
    }
    for line in log.lines().filter_map(log_line) {
        let _ = writeln!(text, "{}", show(&line));
    }
    text.push_str(&grown(&before, &after));
    assert_eq!(scene.standing().await?, standing, "{}", row.what);
    scene.go_on().await.context("going on")?;
    scene.cast().heard();
    Ok(text)
}

/// Waits until the gateway tells that a device has gone.
async fn gone(cast: &Cast, before: &Metrics) -> anyhow::Result<()> {
    let told = |metrics: &Metrics| metrics.sum("dragoman_device_events_total", &[PRESENCE]);
    wait::until("the event that tells of its absence", SOON, || async {
        Ok((told(&cast.world.admin.metrics().await?) > told(before)).then_some(()))
    })
    .await
}

async fn send(cast: &mut Cast, row: &Row, names: &[(&str, String)]) -> anyhow::Result<Vec<Heard>> {
    let fill = |text: &str| names.iter().fold(text.to_owned(), |text, (name, id)| text.replace(name, id));
    match &row.deed {
        Deed::Publish(topic, payload) => {
            let payload = std::str::from_utf8(payload).map_or_else(|_| payload.clone(), |text| fill(text).into_bytes());
            Ok(vec![cast.wire(row.by)?.publish(fill(topic).as_bytes(), &payload).await?])
        }
        Deed::Subscribe(filter) => Ok(vec![cast.wire(row.by)?.subscribe(filter.as_bytes()).await?]),
        Deed::Bytes(bytes) => cast.wire(row.by)?.bytes(bytes).await,
        Deed::Connect(login) => Ok(vec![Heard::Welcome(cast.knock(login).await?)]),
    }
}

impl Deed {
    fn shown(&self) -> String {
        match self {
            Self::Publish(topic, payload) => {
                let payload = String::from_utf8_lossy(payload);
                format!("PUBLISH {} {}", plain(topic, SENT_MAX), plain(&payload, SENT_MAX))
            }
            Self::Subscribe(filter) => format!("SUBSCRIBE {filter}"),
            Self::Bytes(bytes) => format!("{} bytes", bytes.len()),
            Self::Connect(Login { client_id, credentials }) => match credentials {
                Some((username, password)) => format!("CONNECT {client_id} {username} {password}"),
                None => format!("CONNECT {client_id}"),
            },
        }
    }
}

/// The beginning of a text, control characters in words and signed tokens, which differ each time, as `<token>`.
fn plain(text: &str, chars_max: usize) -> String {
    let one = |letter: char| if letter.is_control() { letter.escape_default().to_string() } else { letter.into() };
    let parts = text.split('"').map(|part| if part.starts_with("eyJ") { "<token>" } else { part });
    let text = masked(&parts.collect::<Vec<_>>().join("\""));
    let shown: String = text.chars().take(chars_max).map(one).collect();
    let more = if text.chars().nth(chars_max).is_some() { "…" } else { "" };
    format!("{shown}{more}")
}

fn shown_answers(answers: &[Heard]) -> String {
    let shown = |answer: &Heard| match answer {
        Heard::Welcome(code) => format!("CONNACK {code}"),
        Heard::Taken => "PUBACK".to_owned(),
        Heard::Granted(code) => format!("SUBACK {code:#04x}"),
        Heard::Pong => "PINGRESP".to_owned(),
        Heard::Gone => "the connection ends".to_owned(),
        Heard::Message(message) => format!("{message:?}"),
    };
    answers.iter().map(shown).collect::<Vec<_>>().join(", ")
}

/// A line for each series that grew.
fn grown(before: &Metrics, after: &Metrics) -> String {
    let is_told = |series: &str| {
        (METRICS.iter().any(|name| series.starts_with(name)) && !series.contains("\"presence\""))
            || (series.starts_with("dragoman_plugin_calls_total") && READERS.iter().any(|by| series.contains(by)))
    };
    let grown = after.grown_since(before).into_iter().filter(|(series, _)| is_told(series));
    grown.map(|(series, by)| format!("+{by} {series}\n")).collect()
}

fn log_text(world: &World) -> anyhow::Result<String> {
    let log = fs::read(world.daemon.folder().join("daemon.log")).context("reading the daemon's log")?;
    Ok(String::from_utf8_lossy(&log).into_owned())
}

/// What a plugin says in a line of the log. The broker's own lines are left out: it does not repeat them for each message.
fn log_line(line: &str) -> Option<String> {
    let line: Value = serde_json::from_str(line).ok().filter(|line: &Value| line["target"] == "dragoman::plugin")?;
    let (level, fields) = (line["level"].as_str()?, &line["fields"]);
    Some(format!("log: {level} {}: {}", fields["plugin"].as_str()?, fields["message"].as_str()?))
}
