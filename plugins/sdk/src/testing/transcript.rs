//! A readable record of calls and what came of them, compared with a file beside the tests.

use super::{Deed, Fake};
use crate::{
    Audience, Decision, Dispatched, Error, Execution, Intent, Message, Outcome, Payload, Question, Readers, Reason,
    Report, Request, Response, Verdict, Wait, WhenAway,
};
use std::fmt::Write;
use std::path::Path;

/// Lines of a transcript.
#[derive(Clone, Debug, Default)]
pub struct Transcript {
    text: String,
}

impl Transcript {
    /// A heading.
    pub fn section(&mut self, title: &str) -> &mut Self {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.line(&format!("## {title}"))
    }

    /// A line of text.
    pub fn line(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self.text.push('\n');
        self
    }

    /// An HTTP call as it comes in.
    pub fn request(&mut self, request: &Request) -> &mut Self {
        let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
        self.line(&format!("> {} {}{query}", request.method, request.path));
        if payload_text(&request.body).is_empty() { self } else { self.line(&payload_text(&request.body)) }
    }

    /// What a call came to.
    pub fn decision(&mut self, decision: &Result<Decision, Error>) -> &mut Self {
        match decision {
            Ok(Decision::Respond(response)) => self.response(response),
            Ok(Decision::Wait(wait)) => self.line(&format!("< wait until {:?}, context {}", wait.until, wait.context)),
            Err(error) => self.line(&format!("< fault {error:?}")),
        }
    }

    /// An HTTP answer.
    pub fn response(&mut self, response: &Response) -> &mut Self {
        self.line(&format!("< {}", response.status));
        for (name, value) in response.headers.iter().filter(|(name, _)| name != "content-type") {
            self.line(&format!("< {name}: {value}"));
        }
        self.line(&payload_text(&response.body))
    }

    /// What a dispatch came to.
    pub fn dispatched(&mut self, dispatched: &Result<Dispatched, Error>) -> &mut Self {
        match dispatched {
            Ok(Dispatched::Send(messages)) => {
                for outgoing in messages {
                    let to = match outgoing.to {
                        Audience::Session => "session",
                        Audience::Subscribed => "subscribed session",
                    };
                    let key = outgoing.correlation.as_ref().map(|c| format!("{} answers with {}", c.reporter, c.key));
                    self.message(&format!("send to the {to}; {}", key.unwrap_or_default()), &outgoing.message);
                }
                self
            }
            Ok(Dispatched::Done(outcome)) => self.line(&format!("done: {}", outcome_text(outcome))),
            Ok(Dispatched::Unsupported(reason)) => self.line(&format!("unsupported: {}", reason_text(reason))),
            Err(error) => self.line(&format!("fault {error:?}")),
        }
    }

    /// An MQTT message.
    pub fn message(&mut self, title: &str, message: &Message) -> &mut Self {
        self.line(&format!("{title}; QoS {}", message.qos));
        self.line(&message.topic).line(&payload_text(&message.payload))
    }

    /// Whether a client may connect.
    pub fn verdict(&mut self, verdict: &Result<Verdict, Error>) -> &mut Self {
        match verdict {
            Ok(Verdict::Accept(grant)) => {
                self.line(&format!("accept {} as device {:?}", grant.principal, grant.device));
                self.line(&format!("  publish   {}", grant.policy.publish.join(" ")));
                self.line(&format!("  subscribe {}", grant.policy.subscribe.join(" ")));
                self.line(&format!("  receive   {}", grant.policy.receive.join(" ")));
                let implicit: Vec<_> =
                    grant.policy.implicit.iter().map(|s| format!("{} ({})", s.filter, s.qos)).collect();
                self.line(&format!("  implicit  {}", implicit.join(" ")))
            }
            Ok(Verdict::Refuse(refusal)) => self.line(&format!("refuse: {refusal:?}")),
            Ok(Verdict::NotMine) => self.line("not mine"),
            Err(error) => self.line(&format!("fault {error:?}")),
        }
    }

    /// What the plugin did and logged since the last call, and forgets it.
    pub fn deeds(&mut self, fake: &Fake) -> &mut Self {
        for deed in fake.deeds.take() {
            let text = match deed {
                Deed::Submitted(id, command) => {
                    let away = match command.when_away {
                        Some(WhenAway::Fail) => "fail",
                        Some(WhenAway::Queue) => "queue",
                        None => "default",
                    };
                    format!(
                        "submitted {id} for {}: {}; ttl {:?} ms, success at {:?}, when away {away}, labels {:?}, context {}",
                        command.device,
                        intent_text(&command.intent),
                        command.ttl_ms.unwrap_or_default(),
                        command.succeeds_at,
                        command.labels,
                        command.context.unwrap_or_default(),
                    )
                }
                Deed::Refused(id, why) => format!("refused {id}: {}", reason_text(&why)),
                Deed::Canceled(id) => format!("canceled {id}"),
                Deed::ToldFor(id, what, attributes) => format!("told for {id}: {}; {attributes:?}", report_text(&what)),
                Deed::AttemptFailed(about, why, attributes) => {
                    format!("attempt {} of {} failed: {}; {attributes:?}", about.key, about.reporter, reason_text(&why))
                }
                Deed::Noted(id, note) => format!("noted about {id}: {note}"),
                Deed::Labelled(id, name, value) => format!("labelled {id}: {name}={value}"),
                Deed::UpdatedDevice(id, what) => format!("updated device {id}: {what:?}"),
                Deed::RemovedDevice(id) => format!("removed device {id}"),
                Deed::Published(to, message) => {
                    let to = match to {
                        Readers::Subscribers => "subscribers".to_owned(),
                        Readers::Session(id) => format!("session {id}"),
                    };
                    let retained = if message.retain { ", retained" } else { "" };
                    let text = payload_text(&message.payload);
                    format!("published to {to}; QoS {}{retained}\n{}\n{text}", message.qos, message.topic)
                }
                Deed::Requested(target, method, path, headers, body) => {
                    format!("requested of {target}: {method} {path} {headers:?}\n{}", body.unwrap_or_default())
                }
                Deed::Emitted(event) => {
                    let raw = event.raw.as_ref().map(payload_text).unwrap_or_default();
                    format!(
                        "emitted {} {} of {} at {}: {raw} {}; {:?}",
                        event.kind,
                        event.name.unwrap_or_default(),
                        event.device,
                        event.at_ms,
                        event.body.unwrap_or_default(),
                        event.attributes,
                    )
                }
                Deed::Asked(device, question) => match question {
                    Question::Plan(intent) => format!("asked {device} to plan: {}", intent_text(&intent)),
                    Question::DecodeUp(what) => format!("asked {device} to decode up: {}", payload_text(&what.payload)),
                    Question::DecodeDown(what) => {
                        format!("asked {device} to decode down: {}", payload_text(&what.payload))
                    }
                },
                Deed::SetPolicy(id, principal, policy) => format!(
                    "policy of {id}, principal {}\n  publish   {}\n  subscribe {}\n  receive   {}",
                    principal.unwrap_or_default(),
                    policy.publish.join(" "),
                    policy.subscribe.join(" "),
                    policy.receive.join(" "),
                ),
                Deed::Followed(id, tag, labels, start, limit, live) => {
                    format!("follow {tag} for {id}: {labels:?} from {start:?}, at most {limit}, live {live}")
                }
                Deed::Unfollowed(id, tag) => format!("unfollow {} for {id}", tag.unwrap_or_default()),
                Deed::Closed(id) => format!("closed {id}"),
                Deed::PutProfile(id, profile, revision) => format!("profile of {id} behind {revision}: {profile}"),
                Deed::Told(about, what, attributes) => {
                    format!("told by {} about {}: {}; {attributes:?}", about.reporter, about.key, report_text(&what))
                }
            };
            self.line(&text);
        }
        for (severity, text) in fake.log.take() {
            self.line(&format!("log {severity:?}: {text}"));
        }
        self
    }

    /// What a message of an application came to.
    pub fn waits(&mut self, wait: &Result<Option<Wait>, Error>) -> &mut Self {
        match wait {
            Ok(None) => self,
            Ok(Some(wait)) => self.line(&format!("< wait until {:?}, context {}", wait.until, wait.context)),
            Err(error) => self.line(&format!("< fault {error:?}")),
        }
    }

    /// The device and what is dispatched to it.
    pub fn attempt(&mut self, execution: &Execution) -> &mut Self {
        let frames: Vec<_> = execution.frames.iter().map(intent_text).collect();
        self.line(&format!("attempt {} of {}: {}", execution.attempt, execution.id, frames.join(" | ")))
    }

    /// Compares with the file. With `UPDATE_GOLDEN=1` in the environment the file is written instead.
    ///
    /// # Panics
    /// Where they differ, or the file cannot be read or written.
    #[allow(clippy::panic, reason = "a failed assertion of a test")]
    pub fn check(&self, file: impl AsRef<Path>) {
        let file = file.as_ref();
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            if let Err(error) = std::fs::write(file, &self.text) {
                panic!("{} cannot be written: {error}", file.display());
            }
            return;
        }
        let kept = std::fs::read_to_string(file)
            .unwrap_or_else(|error| panic!("{} cannot be read: {error}; UPDATE_GOLDEN=1 writes it", file.display()));
        let differs = kept.lines().zip(self.text.lines()).enumerate().find(|(_, (kept, now))| kept != now);
        if kept != self.text {
            let mut where_ = String::new();
            if let Some((index, (kept, now))) = differs {
                let _ = write!(where_, "line {}\n  kept {kept}\n  now  {now}", index + 1);
            }
            panic!("{} differs; UPDATE_GOLDEN=1 writes what is said now. {where_}", file.display());
        }
    }
}

fn payload_text(payload: &Payload) -> String {
    match payload {
        Payload::Text(text) => text.clone(),
        Payload::Bytes(bytes) => format!("{bytes:02x?}"),
    }
}

fn intent_text(intent: &Intent) -> String {
    let dotted = |service: &Option<String>, name: &str| match service {
        Some(service) => format!("{service}.{name}"),
        None => name.to_owned(),
    };
    match intent {
        Intent::Invoke(invocation) => {
            format!("invoke {} {}", dotted(&invocation.service, &invocation.action), invocation.params)
        }
        Intent::Write(properties) => {
            let all: Vec<_> =
                properties.iter().map(|p| format!("{}={}", dotted(&p.service, &p.name), p.value)).collect();
            format!("write {}", all.join(", "))
        }
        Intent::Read(names) => {
            let all: Vec<_> = names.iter().map(|n| dotted(&n.service, &n.name)).collect();
            format!("read {}", all.join(", "))
        }
        Intent::Deliver(delivery) => format!("deliver {:?} {}", delivery.name, payload_text(&delivery.payload)),
    }
}

fn report_text(report: &Report) -> String {
    match report {
        Report::Progress(note) => format!("progress {}", note.as_deref().unwrap_or_default()),
        Report::Acked(note) => format!("acked {}", note.as_deref().unwrap_or_default()),
        Report::Ended(outcome) => outcome_text(outcome),
    }
}

fn outcome_text(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Succeeded(result) => format!("succeeded {}", result.as_deref().unwrap_or("without a result")),
        Outcome::Failed(reason) => format!("failed {}", reason_text(reason)),
        Outcome::Rejected(reason) => format!("rejected {}", reason_text(reason)),
    }
}

fn reason_text(reason: &Reason) -> String {
    let detail = reason.detail.as_ref().map(|detail| format!(", {detail}")).unwrap_or_default();
    format!("{} ({}){detail}", reason.code, reason.text)
}
