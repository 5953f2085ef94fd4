//! Sessions without a device: rewritten subscriptions, messages to one session, and policies that change.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(unreachable_pub)]
mod common;

use common::wire::{Client, Connect, v4, v5};
use common::{Heard, Setup, Stage, message};
use dragoman_core::{Grant, Policy, Session, SessionId, Subscription};
use dragoman_mqtt::{Broker, CloseReason, KeptSession, SubscribeVerdict};
use std::sync::Arc;

fn list(filters: &[&str]) -> Vec<String> {
    filters.iter().map(|filter| (*filter).to_owned()).collect()
}

/// May subscribe to nothing by itself; it receives what is its own, and what is everybody's.
fn app_policy(app: &str) -> Policy {
    let own = format!("things/{app}/#");
    Policy {
        publish: vec![own.clone()],
        subscribe: Vec::new(),
        receive: vec![own, "news/#".into()],
        implicit: Vec::new(),
    }
}

/// The application is the user name; `#` and `things/#` become what is its own, `news/#` is granted as asked.
fn applications() -> Setup {
    let mut setup = Setup::new();
    setup.admit = Box::new(|attempt| {
        let app = attempt.session.username.clone().unwrap_or_default();
        Ok(Grant { dialect: "acme-things".into(), device: None, policy: app_policy(&app), principal: app })
    });
    setup.subscribing = Box::new(|session, asked| match asked.filter.as_str() {
        "#" | "things/#" | "$share/g/#" => {
            SubscribeVerdict::Rewritten(format!("things/{}/#", session.principal.as_deref().unwrap_or_default()))
        }
        "news/#" | "$share/g/news/#" => SubscribeVerdict::AsAsked,
        "broken" => SubscribeVerdict::Rewritten("a/#/b".into()),
        "nested" => SubscribeVerdict::Rewritten("$share/g/a".into()),
        _ => SubscribeVerdict::Refuse,
    });
    setup
}

async fn joined(stage: &mut Stage, connect: &Connect) -> (Client, Arc<Session>) {
    let (client, _) = Client::connect(stage.address, connect).await;
    let (session, _) = stage.opened().await;
    (client, session)
}

async fn send(stage: &Stage, topic: &str) -> usize {
    stage.broker.publish(None, &message(topic, topic, 1), None).await
}

fn words(stage: &Stage, session: &SessionId) -> Vec<String> {
    stage.broker.subscriptions(session).into_iter().map(|s| s.filter).collect()
}

#[tokio::test]
async fn a_rewritten_subscription_looks_as_asked_and_serves_what_is_the_applications() {
    for (connect, refused) in [(v4("c").user("app1"), 0x80), (v5("c").user("app1"), 0x87)] {
        let mut stage = applications().start().await;
        let (mut app, session) = joined(&mut stage, &connect).await;
        assert_eq!(
            app.subscribe(&[("#", 1), ("things/app2/#", 0), ("broken", 1), ("nested", 1)]).await,
            [1, refused, refused, refused]
        );
        assert_eq!(words(&stage, &session.id), ["#"]);
        assert_eq!(send(&stage, "things/app2/up").await, 0);
        assert_eq!(send(&stage, "other").await, 0);
        assert_eq!(send(&stage, "things/app1/up").await, 1);
        let got = app.take().await;
        assert_eq!((got.topic.as_str(), got.qos), ("things/app1/up", 1));
        // Another that is rewritten alike: still one copy, until both are gone.
        assert_eq!(app.subscribe(&[("things/#", 0)]).await, [0]);
        assert_eq!(words(&stage, &session.id), ["#", "things/#"]);
        assert_eq!(send(&stage, "things/app1/up").await, 1);
        assert_eq!(app.take().await.qos, 1);
        app.nothing_more().await;
        app.unsubscribe("things/app1/#").await;
        assert_eq!(send(&stage, "things/app1/up").await, 1, "that is no filter of its own");
        app.take().await;
        app.unsubscribe("#").await;
        assert_eq!(words(&stage, &session.id), ["things/#"]);
        assert_eq!(send(&stage, "things/app1/up").await, 1);
        assert_eq!(app.take().await.qos, 0);
        app.unsubscribe("things/#").await;
        assert_eq!(send(&stage, "things/app1/up").await, 0);
        let told: Vec<_> = stage
            .seen()
            .into_iter()
            .filter_map(|heard| match heard {
                Heard::Subscribed(_, told) => Some(told.filter),
                Heard::Unsubscribed(_, filter) => Some(format!("not {filter}")),
                _ => None,
            })
            .collect();
        assert_eq!(told, ["#", "things/#", "not #", "not things/#"]);
        stage.stop().await;
    }
}

#[tokio::test]
async fn a_subscription_that_the_policy_covers_is_not_asked_about() {
    let mut setup = Setup::new();
    setup.subscribing = Box::new(|_, asked| panic!("asked about {asked:?}"));
    let stage = setup.start().await;
    let (mut client, _) = Client::connect(stage.address, &v4("c")).await;
    assert_eq!(client.subscribe(&[("a/#", 1), ("$share/g/b", 0)]).await, [1, 0]);
    stage.stop().await;
}

#[tokio::test]
async fn asked_again_it_is_served_as_the_daemon_says_then() {
    let stage = applications();
    let mut stage = Setup { subscribing: Box::new(two_minds()), ..stage }.start().await;
    let (mut app, session) = joined(&mut stage, &v4("c").user("app1")).await;
    app.subscribe(&[("mine", 1)]).await;
    assert_eq!((send(&stage, "things/app1/1").await, send(&stage, "things/app1/2").await), (1, 0));
    app.subscribe(&[("mine", 1)]).await;
    assert_eq!((send(&stage, "things/app1/1").await, send(&stage, "things/app1/2").await), (0, 1));
    assert_eq!(words(&stage, &session.id), ["mine"]);
    app.unsubscribe("mine").await;
    assert_eq!((send(&stage, "things/app1/1").await, send(&stage, "things/app1/2").await), (0, 0));
    stage.stop().await;
}

fn two_minds() -> impl Fn(&Session, &Subscription) -> SubscribeVerdict {
    let times = std::sync::atomic::AtomicUsize::new(1);
    move |_, _| {
        let time = times.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        SubscribeVerdict::Rewritten(format!("things/app1/{time}"))
    }
}

#[tokio::test]
async fn rewritten_subscriptions_survive_a_restart() {
    for connect in [v4("c").user("app1").kept(600), v5("c").user("app1").kept(600)] {
        let mut stage = applications().start().await;
        let (mut app, _) = joined(&mut stage, &connect).await;
        app.subscribe(&[("#", 1), ("things/#", 0), ("$share/g/#", 1), ("news/#", 1)]).await;
        let mut kept: Vec<KeptSession> = Vec::new();
        stage.stop().await;
        for heard in stage.seen() {
            if let Heard::Keep(one) = heard {
                kept = vec![serde_json::from_str(&serde_json::to_string(&one).unwrap()).unwrap()];
            }
        }
        let mut setup = applications();
        setup.options.kept = kept;
        let mut stage = setup.start().await;
        let (mut app, session) = joined(&mut stage, &connect).await;
        app.ping().await;
        assert_eq!(words(&stage, &session.id), ["#", "things/#", "$share/g/#", "news/#"]);
        assert_eq!(send(&stage, "things/app2/up").await, 0);
        // One for its own subscriptions and one as the only member of its group.
        assert_eq!(send(&stage, "things/app1/up").await, 2);
        assert_eq!(send(&stage, "news/1").await, 1);
        for topic in ["things/app1/up", "things/app1/up", "news/1"] {
            assert_eq!(app.take().await.topic, topic);
        }
        for filter in ["#", "$share/g/#", "things/#", "news/#"] {
            app.unsubscribe(filter).await;
        }
        assert_eq!((send(&stage, "things/app1/up").await, send(&stage, "news/1").await), (0, 0));
        app.nothing_more().await;
        stage.stop().await;
    }
}

#[tokio::test]
async fn retained_messages_come_as_the_rewritten_filter_says() {
    let mut stage = applications().start().await;
    for topic in ["things/app1/r", "things/app2/r", "news/r", "plain"] {
        let mut retained = message(topic, "kept", 1);
        retained.retain = true;
        stage.broker.publish(None, &retained, None).await;
    }
    let (mut app, _) = joined(&mut stage, &v4("c").user("app1")).await;
    app.subscribe(&[("#", 1), ("$share/g/news/#", 1)]).await;
    let got = app.take().await;
    assert_eq!((got.topic.as_str(), got.retain), ("things/app1/r", true));
    app.nothing_more().await;
    stage.stop().await;
}

#[tokio::test]
async fn a_message_to_one_session_needs_no_subscription_and_obeys_the_policy() {
    let mut setup = applications();
    setup.options.max_outstanding = 3;
    setup.options.max_inflight = 1;
    let mut stage = setup.start().await;
    let (mut one, session) = joined(&mut stage, &v4("c1").user("app1")).await;
    let (mut two, _) = joined(&mut stage, &v4("c2").user("app1")).await;
    let broker = stage.broker.clone();
    let id = session.id.clone();
    let send = async |topic: &str, qos| broker.publish_to_session(&id, &message(topic, "x", qos)).await;
    assert!(send("things/app1/answer", 0).await);
    assert_eq!(one.take().await.qos, 0);
    assert!(send("things/app1/answer", 2).await);
    assert_eq!(one.take().await.qos, 1);
    assert!(!send("things/app2/answer", 0).await, "its policy hides it");
    assert!(!send("things/app1/#", 0).await);
    assert!(!broker.publish_to_session(&SessionId::new("gone"), &message("news/1", "x", 0)).await);
    two.nothing_more().await;
    // One on the wire, three behind it.
    assert!(send("news/0", 1).await);
    let first = one.message().await;
    for topic in ["news/1", "news/2", "news/3"] {
        assert!(send(topic, 1).await);
    }
    assert!(!send("news/4", 1).await, "that is too much");
    one.puback(first.id).await;
    for topic in ["news/1", "news/2", "news/3"] {
        assert_eq!(one.take().await.topic, topic);
    }
    assert!(stage.receipts().is_empty());
    stage.broker.close_session(&session.id).await;
    one.closed().await;
    let (closed, reason) = stage.closed().await;
    assert_eq!((&closed.id, reason), (&session.id, CloseReason::ByHost));
    assert!(stage.broker.session(&session.id).is_none());
    two.ping().await;
    stage.stop().await;
}

#[tokio::test]
async fn another_policy_holds_for_all_that_comes_after() {
    for connect in [v4("c"), v5("c")] {
        let mut setup = Setup::new();
        setup.admit = Box::new(|_| {
            let policy = Policy {
                publish: list(&["before"]),
                subscribe: list(&["a/#", "b/#"]),
                receive: list(&["#"]),
                implicit: vec![Subscription { filter: "auto/1".into(), qos: 0 }],
            };
            Ok(Grant { dialect: "globex-units".into(), principal: "anybody".into(), device: None, policy })
        });
        setup.subscribing = Box::new(|_, asked| match asked.filter.as_str() {
            "granted" => SubscribeVerdict::AsAsked,
            _ => SubscribeVerdict::Refuse,
        });
        let mut stage = setup.start().await;
        let (mut client, session) = joined(&mut stage, &connect).await;
        assert_eq!(client.subscribe(&[("a/1", 1), ("b/1", 1), ("granted", 1)]).await, [1, 1, 1]);
        let after = Policy {
            publish: list(&["after"]),
            subscribe: list(&["b/#", "c/#"]),
            receive: list(&["a/#", "b/1", "granted", "auto/#", "c/#"]),
            implicit: vec![Subscription { filter: "auto/2".into(), qos: 0 }],
        };
        assert!(stage.broker.set_policy(&session.id, Some("user7".into()), after).await);
        assert_eq!(stage.broker.session(&session.id).unwrap().principal.as_deref(), Some("user7"));
        let mut reached = Vec::new();
        for topic in ["a/1", "b/1", "granted", "auto/1", "auto/2"] {
            reached.push(send(&stage, topic).await);
        }
        assert_eq!(reached, [0, 1, 1, 0, 1]);
        for topic in ["b/1", "granted", "auto/2"] {
            assert_eq!(client.take().await.topic, topic);
        }
        client.nothing_more().await;
        assert_eq!(words(&stage, &session.id), ["b/1", "granted"]);
        assert!(matches!(client.subscribe(&[("a/2", 0), ("c/1", 0)]).await[..], [0x80 | 0x87, 0]));
        client.publish("before", "x").await;
        client.publish("after", "x").await;
        let heard = stage.hear(|heard| match heard {
            Heard::Inbound(session, message) => Some((session.principal.clone(), message.topic.clone())),
            _ => None,
        });
        assert_eq!(heard.await, (Some("user7".into()), "after".into()));
        assert!(!stage.broker.set_policy(&SessionId::new("gone"), None, Policy::default()).await);
        stage.stop().await;
    }
}

#[tokio::test]
async fn what_waits_when_the_policy_changes_is_not_delivered() {
    let mut setup = Setup::new();
    setup.options.max_inflight = 1;
    let mut stage = setup.start().await;
    let (mut client, session) = joined(&mut stage, &v4("c")).await;
    client.subscribe(&[("#", 1)]).await;
    send(&stage, "first").await;
    let first = client.message().await;
    for topic in ["hidden", "seen"] {
        assert_eq!(send(&stage, topic).await, 1);
        assert!(stage.broker.publish_to_session(&session.id, &message(topic, "x", 1)).await);
    }
    let policy = Policy { subscribe: list(&["#"]), receive: list(&["seen"]), ..Policy::default() };
    assert!(stage.broker.set_policy(&session.id, None, policy).await);
    client.puback(first.id).await;
    for _ in 0..2 {
        assert_eq!(client.take().await.topic, "seen");
    }
    client.nothing_more().await;
    stage.stop().await;
}

#[tokio::test]
async fn a_session_that_became_somebody_is_kept_for_that_one_only() {
    let mut stage = Setup::new().start().await;
    let anybody = v4("c").user("anybody").kept(60);
    let (mut client, session) = joined(&mut stage, &anybody).await;
    client.subscribe(&[("private", 1)]).await;
    let policy = common::open_policy();
    assert!(stage.broker.set_policy(&session.id, Some("user7".into()), policy).await);
    drop(client);
    stage.closed().await;
    assert_eq!(Client::try_connect(stage.address, &v4("c").user("user8")).await.1.code, 5);
    // As anybody, one may come again under the client id, and begins anew.
    let (mut client, connack) = Client::connect(stage.address, &anybody).await;
    assert!(!connack.session_present);
    assert_eq!(send(&stage, "private").await, 0);
    client.nothing_more().await;
    stage.stop().await;
}
