//! Attackers on the shared MQTT port: customers of one platform who reach for what is another's, or another customer's.
//!
//! While they try, a command is on its way to a device of every platform. Each try has its answer and its metric, changes
//! nothing that stands, and brings the attacker nothing; then every command goes on to the end that its device gives it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod filters;
mod gang;
mod logins;
mod messages;
mod raw;
mod tokens;
mod town;

use anyhow::{Context, ensure};
use dragoman_e2e::devices;
use dragoman_e2e::metrics::Metrics;
use dragoman_e2e::wait::{self, SOON};
use gang::{Attacker, Who};
use logins::LoginRow;
use messages::{Fate, TARGETS};
use raw::{Login, Raw, Version};
use serde_json::{Value, json};
use town::Town;

const CONNECTS: &str = "dragoman_mqtt_connects_refused_total";
const PUBLISHES: &str = "dragoman_mqtt_publishes_refused_total";
const SUBSCRIPTIONS: &str = "dragoman_mqtt_subscriptions_refused_total";
const CALLS: &str = "dragoman_plugin_calls_total";
const EVENTS: &str = "dragoman_device_events_total";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_signs_in_as_somebody_else() -> anyhow::Result<()> {
    let mut town = Town::start().await?;
    for (id, dialect, alias, name) in
        [("wild-thing", "emqx-fleets", "fleets.name", "+"), ("wild-valve", "connio", "connio.id", "valve/#")]
    {
        let credential = json!({ "kind": "password", "secret": devices::secret(id) });
        let device = json!({ "id": id, "dialect": dialect, "aliases": { alias: name }, "credential": credential });
        town.world.admin.add_device(&device).await?;
    }
    // Alice leaves a session behind.
    let mut alice = Raw::connect(town.port, logins::away()).await?;
    ensure!(alice.subscribe("dh/command_update/#").await?, "alice's filter was refused");
    drop(alice);

    let open = town.open().await?;
    let before = town.standing().await?;
    let mut wrong = Vec::new();
    for version in [Version::V4, Version::V5] {
        for row in logins::rows().into_iter().chain(logins::takeovers()) {
            wrong.extend(refused(&town, row, version).await?);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(town.standing().await?, before);

    let alice = Raw::connect(town.port, logins::away()).await?;
    assert!(alice.resumed, "the session that alice left is gone");
    town.close(open).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_filter_shows_what_is_others_in_mqtt_3_1_1() -> anyhow::Result<()> {
    no_filter_shows_what_is_others(Version::V4).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_filter_shows_what_is_others_in_mqtt_5() -> anyhow::Result<()> {
    no_filter_shows_what_is_others(Version::V5).await
}

async fn no_filter_shows_what_is_others(version: Version) -> anyhow::Result<()> {
    let mut town = Town::start().await?;
    let mut gang = gang::connect(&town, version).await?;
    let mut wrong = Vec::new();
    for Attacker { who, raw } in &mut gang {
        for filter in filters::FILTERS {
            let before = town.metrics().await?;
            let granted = raw.subscribe(filter).await?;
            let expected = filters::granted(*who).contains(filter);
            let counted = grown(&before, &town.metrics().await?, SUBSCRIPTIONS, &[("cause", "policy")]);
            if (granted, counted) != (expected, u64::from(!expected)) {
                wrong.push(format!("{who:?} {filter}: granted {granted}, counted {counted}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Everything that the victims have goes over the port now.
    let open = town.open().await?;
    town.close(open).await?;
    gang::got_nothing(&town, &mut gang).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_speaks_for_others_in_mqtt_3_1_1() -> anyhow::Result<()> {
    nobody_speaks_for_others(Version::V4).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_speaks_for_others_in_mqtt_5() -> anyhow::Result<()> {
    nobody_speaks_for_others(Version::V5).await
}

async fn nobody_speaks_for_others(version: Version) -> anyhow::Result<()> {
    let mut town = Town::start().await?;
    let mut gang = gang::connect(&town, version).await?;
    let open = town.open().await?;
    let before = town.standing().await?;
    let mut wrong = Vec::new();
    for attacker in &mut gang {
        for (topic, payload) in TARGETS {
            let fate = messages::fate(attacker.who, topic);
            let (topic, payload) = (open.fill(topic), open.fill(payload));
            let outcome = sent(&town, attacker, (&topic, &payload), fate, 0).await;
            wrong.extend(outcome.err().map(|error| format!("{:?} on {topic}: {error:#}", attacker.who)));
        }
    }
    for door in messages::own_doors() {
        let attacker = gang.iter_mut().find(|attacker| attacker.who == door.who).context("an attacker is missing")?;
        let (topic, payload) = (open.fill(door.topic), open.fill(door.payload));
        let outcome = sent(&town, attacker, (&topic, &payload), door.fate, door.told).await;
        wrong.extend(outcome.err().map(|error| format!("{}: {error:#}", door.what)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(town.standing().await?, before);

    // Nothing of it was kept for those who come later: what these hear first is what the victims say next.
    let mut late = Vec::new();
    for (account, filter) in [("alice", "dh/#"), ("victim-app", "#")] {
        let login = town::logins::account(account).calling_itself(&format!("{account}-late"));
        let mut raw = Raw::connect(town.port, login).await?;
        ensure!(raw.subscribe(filter).await?, "{account} was refused {filter}");
        late.push(raw);
    }
    town.close(open).await?;
    for raw in &mut late {
        raw.message("what the victims say", "1/").await?;
        assert!(raw.inbox.iter().all(|message| !message.retained), "{:#?}", raw.inbox);
    }
    gang::got_nothing(&town, &mut gang).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_last_will_is_no_way_around() -> anyhow::Result<()> {
    let mut town = Town::start().await?;
    let open = town.open().await?;
    let before = town.standing().await?;
    for version in [Version::V4, Version::V5] {
        for who in [Who::Nobody, Who::Mallory, Who::App, Who::Thing, Who::Network] {
            for (topic, payload) in TARGETS {
                let metrics = town.metrics().await?;
                let will = who.login().version(version).will(open.fill(topic), open.fill(payload));
                drop(Raw::connect(town.port, will).await?);
                let (name, labels) = counter(messages::fate(who, topic));
                let what = format!("the will of {who:?} on {topic} to move {name}");
                wait::until(&what, SOON, || async {
                    Ok((grown(&metrics, &town.metrics().await?, name, &labels) > 0).then_some(()))
                })
                .await?;
            }
        }
    }
    assert_eq!(town.standing().await?, before);
    town.close(open).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_forged_token_lets_anybody_in() -> anyhow::Result<()> {
    let mut town = Town::start().await?;
    let open = town.open().await?;
    let before = town.standing().await?;
    let insert = r#"{"action":"command/insert","deviceId":"hive-1","command":{"command":"off"}}"#;
    let mut wrong = Vec::new();
    for (number, row) in tokens::rows().into_iter().enumerate() {
        let client_id = format!("forger-{number}");
        let version = if number % 2 == 0 { Version::V4 } else { Version::V5 };
        let mut forger = Raw::connect(town.port, Login::anonymous(&client_id).version(version)).await?;
        let answers = |action: &str| format!("dh/response/{action}@{client_id}");
        // Only the two answers that let a client in are open to somebody who has not authenticated.
        let heard = row.action == "authenticate";
        assert_eq!(forger.subscribe(&answers(row.action)).await?, heard, "{}", row.what);
        let calls = town.metrics().await?;
        forger.publish("dh/request", &row.request(), false).await?;
        if heard {
            let answer = forger.message(row.what, &answers(row.action)).await?;
            let answer = town::json_of(&answer.payload);
            if (&answer["code"], &answer["error"]) != (&json!(401), &json!(row.error)) {
                wrong.push(format!("{}: {answer}", row.what));
            }
        }
        let counted = [("plugin", "devicehive"), ("export", "topics.handle-message"), ("result", "ok")];
        assert_eq!(grown(&calls, &town.metrics().await?, CALLS, &counted), 1, "{}", row.what);
        // It is nobody still.
        assert!(!forger.subscribe("dh/command/#").await?, "{}", row.what);
        forger.publish("dh/request", insert, false).await?;
        assert!(forger.inbox.iter().all(|message| message.topic == answers("authenticate")), "{:#?}", forger.inbox);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(town.standing().await?, before);

    // The rows fail for what is wrong with them: the same token without a fault is good.
    let mut user = Raw::connect(town.port, Login::anonymous("user-client")).await?;
    ensure!(user.subscribe("dh/response/authenticate@user-client").await?, "the answer was refused");
    let request = json!({ "action": "authenticate", "token": tokens::good() }).to_string();
    user.publish("dh/request", &request, false).await?;
    let answer = user.message("the answer to a good token", "dh/response/").await?;
    assert_eq!(town::json_of(&answer.payload)["status"], "success", "{answer:?}");
    assert!(user.subscribe("dh/command/#").await?);
    town.close(open).await
}

/// Tries a login. What is wrong with the answer, if anything is.
async fn refused(town: &Town, row: LoginRow, version: Version) -> anyhow::Result<Option<String>> {
    let before = town.metrics().await?;
    let answer = match Raw::attempt(town.port, row.login.version(version)).await.with_context(|| row.what)? {
        Ok(_) => "it is let in".to_owned(),
        Err(code) => code,
    };
    let counted = grown(&before, &town.metrics().await?, CONNECTS, &[("cause", row.cause)]);
    let fits = answer == format!("{:?}", row.answer) && counted == 1;
    let wrong = || format!("{} in {version:?}: {answer}, counted {counted} as {}", row.what, row.cause);
    Ok((!fits).then(wrong))
}

/// Sends a message, retained, and looks at its fate.
async fn sent(
    town: &Town,
    attacker: &mut Attacker,
    (topic, payload): (&str, &str),
    fate: Fate,
    told: u64,
) -> anyhow::Result<()> {
    let before = town.metrics().await?;
    let reason = attacker.raw.publish(topic, payload, true).await?;
    // MQTT 3.1.1 has no way to refuse a message.
    let refused = attacker.raw.version == Version::V5 && fate == Fate::Refused;
    ensure!((reason == "NotAuthorized") == refused, "PUBACK says {reason}");
    if let Fate::Answered(code, response) = fate {
        let answer = attacker.raw.message(&format!("a refusal with {code}"), response).await?;
        let answered: &Value = &town::json_of(&answer.payload)["code"];
        ensure!(*answered == code, "answered {answer:?}");
    }
    let after = town.metrics().await?;
    let (name, labels) = counter(fate);
    ensure!(grown(&before, &after, name, &labels) == 1, "{name} {labels:?} did not move by one");
    let events = grown(&before, &after, EVENTS, &[]);
    ensure!(events == told, "it is told as {events} events");
    Ok(())
}

/// The counter that a fate moves.
fn counter(fate: Fate) -> (&'static str, Vec<(&'static str, &'static str)>) {
    match fate {
        Fate::Refused => (PUBLISHES, vec![("cause", "policy")]),
        Fate::Dropped(plugin, export) => (CALLS, vec![("plugin", plugin), ("export", export), ("result", "ok")]),
        Fate::Answered(..) => {
            (CALLS, vec![("plugin", "devicehive"), ("export", "topics.handle-message"), ("result", "ok")])
        }
    }
}

/// By how much a counter grew.
fn grown(before: &Metrics, after: &Metrics, name: &str, labels: &[(&str, &str)]) -> u64 {
    let grown = after.sum(name, labels) - before.sum(name, labels);
    // Counters are whole numbers far below 2^53.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    {
        grown as u64
    }
}
