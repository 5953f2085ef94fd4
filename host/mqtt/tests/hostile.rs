//! Clients that share a port with others and do not wish them well.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(unreachable_pub)]
mod common;

use common::wire::{Client, packet, v4, v5};
use common::{Heard, Setup, Stage, device, message, open_policy, token};
use dragoman_core::{DeviceId, Grant, Message, Policy};
use dragoman_mqtt::{Broker, CloseReason, Delivery};
use std::time::Duration;

fn list(filters: &[&str]) -> Vec<String> {
    filters.iter().map(|filter| (*filter).to_owned()).collect()
}

/// Each may use what begins with its user name; the user name `all` may use everything that has no `$` in front.
fn tenants() -> Setup {
    let mut setup = Setup::new();
    setup.admit = Box::new(|attempt| {
        let name = attempt.session.username.clone().unwrap_or_default();
        let own = if name == "all" { list(&["#"]) } else { vec![format!("{name}/#")] };
        let policy = Policy { publish: own.clone(), subscribe: own.clone(), receive: own, implicit: Vec::new() };
        Ok(Grant { dialect: "acme-things".into(), device: None, principal: name, policy })
    });
    setup
}

fn inbound_topics(stage: &mut Stage) -> Vec<String> {
    let heard = stage.seen().into_iter();
    heard.filter_map(|heard| if let Heard::Inbound(_, message) = heard { Some(message.topic) } else { None }).collect()
}

/// QoS 1, with the bytes as topic.
fn publish_packet(topic: &[u8], level: u8) -> Vec<u8> {
    let mut body = (topic.len() as u16).to_be_bytes().to_vec();
    body.extend(topic);
    body.extend([0, 21]);
    body.extend((level == 5).then_some(0));
    packet(0x32, &body)
}

#[tokio::test]
async fn nobody_publishes_to_what_its_policy_does_not_cover() {
    for (connect, refused) in [(v4("m").user("mallory"), 0), (v5("m").user("mallory"), 0x87)] {
        let mut stage = tenants().start().await;
        let (mut all, _) = Client::connect(stage.address, &v4("l").user("all")).await;
        all.subscribe(&[("#", 1)]).await;
        let (mut mallory, _) = Client::connect(stage.address, &connect).await;
        for topic in ["alice/x", "mallory2/x", "Mallory/x", "/mallory/x", "$SYS/x", "$share/g/mallory/x", "$mallory/x"]
        {
            assert_eq!(mallory.publish(topic, "x").await, refused, "{topic}");
            mallory.send_publish(topic, "x", 0, true, 0).await;
            mallory.send_publish(topic, "x", 2, false, 9).await;
            assert_eq!(mallory.acknowledged(0x50).await, refused, "{topic}");
            // A refused exchange of QoS 2 is over in MQTT 5; a 3.1.1 client goes on.
            mallory.send(&[0x62, 2, 0, 9]).await;
            mallory.acknowledged(0x70).await;
        }
        assert_eq!(mallory.publish("mallory/x", "mine").await, 0);
        assert_eq!(all.take().await.topic, "mallory/x");
        all.nothing_more().await;
        assert_eq!(inbound_topics(&mut stage), ["mallory/x"]);
        let (mut late, _) = Client::connect(stage.address, &v4("late").user("all")).await;
        late.subscribe(&[("#", 1)]).await;
        late.nothing_more().await;
        stage.stop().await;
    }
}

#[tokio::test]
async fn what_is_no_topic_reaches_nobody() {
    let long = [b'x'; 600];
    let bad: [&[u8]; 9] = [
        b"mallory/+",
        b"mallory/#",
        b"mallory/a+b",
        b"mallory/\0",
        b"mallory/\x01",
        "mallory/\u{fffe}".as_bytes(),
        "mallory/\u{ffff}".as_bytes(),
        &[b"mallory/".as_slice(), &long].concat(),
        b"mallory/\xff\xfe",
    ];
    for connect in [v4("m").user("mallory"), v5("m").user("mallory")] {
        let mut stage = tenants().start().await;
        let (mut all, _) = Client::connect(stage.address, &v4("l").user("all")).await;
        all.subscribe(&[("#", 1)]).await;
        for topic in bad.into_iter().chain([b"".as_slice()]) {
            let (mut mallory, _) = Client::connect(stage.address, &connect).await;
            mallory.send(&publish_packet(topic, connect.level)).await;
            // It is refused, or the connection ends; either is allowed.
            let answer = mallory.packet().await;
            let refused = answer.as_ref().is_none_or(|puback| connect.level == 4 || puback.body.get(2) == Some(&0x90));
            assert!(refused, "{topic:?} {:?}", answer.map(|puback| puback.body));
        }
        all.nothing_more().await;
        assert_eq!(inbound_topics(&mut stage), [""; 0]);
        let (mut mallory, _) = Client::connect(stage.address, &connect).await;
        for filter in ["mallory/\0", "mallory/\u{1}", "mallory/\u{fffe}/#", "mallory/a+", "mallory/#/x"] {
            let code = mallory.subscribe(&[(filter, 0)]).await;
            assert_eq!(code, [if connect.level == 4 { 0x80 } else { 0x8f }], "{filter:?}");
        }
        stage.stop().await;
    }
}

#[tokio::test]
async fn a_shared_subscription_is_checked_by_the_filter_in_it() {
    for (connect, not_authorized, invalid) in
        [(v4("m").user("mallory"), 0x80, 0x80), (v5("m").user("mallory"), 0x87, 0x8f)]
    {
        let mut stage = tenants().start().await;
        let (mut mallory, _) = Client::connect(stage.address, &connect).await;
        let (session, _) = stage.opened().await;
        let filters = [
            ("$share/g/#", not_authorized),
            ("$share/g/alice/#", not_authorized),
            ("$share/g/$SYS/#", not_authorized),
            ("$share/g/$share/h/mallory/#", not_authorized),
            ("$share/+/mallory/#", invalid),
            ("$share/#/mallory/#", invalid),
            ("$share//mallory/#", invalid),
            ("$share/g/mallory/#/x", invalid),
            ("$SYS/#", not_authorized),
            ("$mallory/#", not_authorized),
            ("#", not_authorized),
            ("+/x", not_authorized),
            ("mallory/#", 0),
            ("$share/g/mallory/#", 0),
        ];
        for (filter, code) in filters {
            assert_eq!(mallory.subscribe(&[(filter, 0)]).await, [code], "{filter}");
        }
        let words: Vec<_> = stage.broker.subscriptions(&session.id).into_iter().map(|s| s.filter).collect();
        assert_eq!(words, ["mallory/#", "$share/g/mallory/#"]);
        stage.broker.publish(None, &message("alice/x", "x", 0), None).await;
        // One for itself and one for its group.
        assert_eq!(stage.broker.publish(None, &message("mallory/x", "x", 0), None).await, 2);
        mallory.take().await;
        mallory.take().await;
        mallory.unsubscribe("mallory/#").await;
        assert_eq!(stage.broker.publish(None, &message("mallory/x", "x", 0), None).await, 1);
        mallory.take().await;
        mallory.nothing_more().await;
        // What is no shared subscription at all is refused, or ends the connection.
        mallory.send(&packet(0x82, &subscribe_body("$share/g", connect.level))).await;
        let answer = mallory.packet().await;
        assert!(answer.is_none_or(|suback| *suback.body.last().unwrap() >= 0x80));
        stage.stop().await;
    }
}

fn subscribe_body(filter: &str, level: u8) -> Vec<u8> {
    let mut body = vec![0, 7];
    body.extend((level == 5).then_some(0));
    body.extend((filter.len() as u16).to_be_bytes());
    body.extend(filter.as_bytes());
    body.push(0);
    body
}

#[tokio::test]
async fn a_group_hands_no_member_what_its_policy_hides_and_takes_nothing_from_other_platforms() {
    let mut setup = Setup::new();
    setup.admit = Box::new(|attempt| {
        let name = attempt.session.username.clone().unwrap_or_default();
        let receive = if name == "half" { list(&["up/plain"]) } else { list(&["#"]) };
        let dialect = if name == "other" { "globex-units" } else { "acme-things" };
        Ok(Grant {
            dialect: dialect.into(),
            device: None,
            principal: name,
            policy: Policy { receive, ..open_policy() },
        })
    });
    let stage = setup.start().await;
    let mut members = Vec::new();
    for name in ["half", "whole", "other"] {
        let (mut member, _) = Client::connect(stage.address, &v4(name)).await;
        assert_eq!(member.subscribe(&[("$share/g/up/#", 1)]).await, [1]);
        members.push(member);
    }
    for _ in 0..6 {
        assert_eq!(
            stage.broker.publish(None, &message("up/secret", "x", 1), None).await,
            2,
            "one in each platform's group"
        );
    }
    for _ in 0..4 {
        stage.broker.publish(None, &message("up/plain", "x", 1), None).await;
    }
    for (member, secret, plain) in [(0, 0, 2), (1, 6, 2), (2, 6, 4)] {
        let mut got = Vec::new();
        for _ in 0..secret + plain {
            got.push(members[member].take().await.topic);
        }
        members[member].nothing_more().await;
        assert_eq!(got.iter().filter(|topic| *topic == "up/secret").count(), secret, "member {member}");
    }
    stage.stop().await;
}

const COMMANDS: &str = "$share/acme-radio/application/+/device/+/command/+";

#[tokio::test]
async fn a_network_server_is_commanded_through_its_shared_subscription() {
    for connect in [v5("ns").kept(600), v4("ns").kept(600)] {
        let mut setup = Setup::new();
        let policy = Policy {
            publish: list(&["application/+/device/+/event/+"]),
            subscribe: list(&["application/+/device/+/command/+"]),
            receive: list(&["application/#"]),
            implicit: Vec::new(),
        };
        setup = setup.policy(policy);
        let mut stage = setup.start().await;
        let (mut server, _) = Client::connect(stage.address, &connect).await;
        let ns = DeviceId::new("ns");
        let down = message("application/a1/device/e1/command/down", "{}", 1);
        let send = async |stage: &Stage, index| {
            stage.broker.publish_to(&device("ns"), &down, true, 60_000, token(index)).await
        };
        assert_eq!(send(&stage, 0).await, Delivery::NoSubscriber);
        assert_eq!(server.subscribe(&[(COMMANDS, 0)]).await, [0]);
        let words = stage.broker.device_subscriptions(&ns).unwrap();
        assert_eq!(words.iter().map(|s| s.filter.as_str()).collect::<Vec<_>>(), [COMMANDS]);
        assert_eq!(send(&stage, 1).await, Delivery::Sent { receipt: false });
        assert_eq!(server.take().await.topic, down.topic);
        drop(server);
        stage.closed().await;
        assert_eq!(stage.broker.device_subscriptions(&ns).unwrap(), words);
        let (mut server, connack) = Client::connect(stage.address, &connect).await;
        assert!(connack.session_present);
        assert_eq!(send(&stage, 2).await, Delivery::Sent { receipt: false });
        assert_eq!(server.take().await.topic, down.topic);
        server.unsubscribe(COMMANDS).await;
        assert_eq!(send(&stage, 3).await, Delivery::NoSubscriber);
        stage.stop().await;
    }
}

/// At once, and retained for who subscribes later.
#[tokio::test]
async fn what_one_platform_publishes_no_client_of_another_hears() {
    let mut setup = Setup::new();
    setup.admit = Box::new(|attempt| {
        let principal = attempt.session.username.clone().unwrap_or_default();
        let dialect = if principal == "other" { "globex-units" } else { "acme-things" };
        Ok(Grant { dialect: dialect.into(), device: None, principal, policy: open_policy() })
    });
    let stage = setup.start().await;
    let (mut own, _) = Client::connect(stage.address, &v4("own")).await;
    let (mut other, _) = Client::connect(stage.address, &v4("other")).await;
    for client in [&mut own, &mut other] {
        assert_eq!(client.subscribe(&[("now/#", 1)]).await, [1]);
    }
    assert_eq!(stage.broker.publish(Some("acme-things"), &message("now/x", "x", 1), None).await, 1);
    let kept = Message { retain: true, ..message("kept/x", "x", 1) };
    assert_eq!(stage.broker.publish(Some("acme-things"), &kept, None).await, 0);
    for client in [&mut own, &mut other] {
        assert_eq!(client.subscribe(&[("kept/#", 1)]).await, [1]);
    }
    assert_eq!((own.take().await.topic.as_str(), own.take().await.topic.as_str()), ("now/x", "kept/x"));
    other.nothing_more().await;
    stage.stop().await;
}

#[tokio::test]
async fn wills_and_retained_messages_obey_the_policy_of_who_sends_and_of_who_reads() {
    let mut stage = tenants().start().await;
    let (mut alice, _) = Client::connect(stage.address, &v4("a").user("alice")).await;
    alice.subscribe(&[("alice/#", 1)]).await;
    let (mut all, _) = Client::connect(stage.address, &v4("l").user("all")).await;
    all.subscribe(&[("#", 1)]).await;
    for topic in ["alice/will", "mallory/will", "mallory/+", "$SYS/will"] {
        for mut connect in [v4("m").user("mallory"), v5("m").user("mallory")] {
            connect.will = Some((topic.into(), "gone".into()));
            let (client, _) = Client::connect(stage.address, &connect).await;
            drop(client);
            while stage.closed().await.0.client_id != "m" {}
        }
    }
    for _ in 0..2 {
        assert_eq!(all.take().await.topic, "mallory/will");
    }
    let (mut mallory, _) = Client::connect(stage.address, &v4("m").user("mallory")).await;
    for topic in ["alice/kept", "mallory/kept"] {
        mallory.send_publish(topic, "x", 1, true, 3).await;
        mallory.acknowledged(0x40).await;
    }
    assert_eq!(all.take().await.topic, "mallory/kept");
    all.nothing_more().await;
    alice.nothing_more().await;
    alice.subscribe(&[("alice/#", 1)]).await;
    alice.nothing_more().await;
    // Who may subscribe to it but not receive it does not see what was retained.
    let (mut late, _) = Client::connect(stage.address, &v4("late").user("all")).await;
    let (session, _) = stage
        .hear(|heard| match heard {
            Heard::Opened(session, resumed) if session.client_id == "late" => Some((session.clone(), *resumed)),
            _ => None,
        })
        .await;
    let policy = Policy { subscribe: list(&["#"]), receive: list(&["alice/#"]), ..Policy::default() };
    stage.broker.set_policy(&session.id, None, policy).await;
    assert_eq!(late.subscribe(&[("#", 1)]).await, [1]);
    late.nothing_more().await;
    stage.stop().await;
}

#[tokio::test]
async fn what_is_no_mqtt_ends_that_connection_and_no_other() {
    let mut stage = tenants().start().await;
    let (mut alice, _) = Client::connect(stage.address, &v4("a").user("alice")).await;
    stage.opened().await;
    let nonsense: [&[u8]; 6] = [
        b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n",
        &[0x30, 0xff, 0xff, 0xff, 0xff, 0x7f],
        // A PUBLISH before CONNECT, a SUBSCRIBE without filters, and one with the wrong flags.
        &[0x30, 5, 0, 3, b'a', b'/', b'x'],
        &[0x82, 2, 0, 1],
        &[0x80, 6, 0, 1, 0, 1, b'a', 0],
        &[0xff; 64],
    ];
    for bytes in nonsense {
        let mut io = tokio::net::TcpStream::connect(stage.address).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut io, bytes).await.unwrap();
        tokio::io::AsyncWriteExt::shutdown(&mut io).await.unwrap();
        let (mut mallory, _) = Client::connect(stage.address, &v4("m").user("mallory")).await;
        stage.opened().await;
        mallory.send(bytes).await;
        tokio::io::AsyncWriteExt::shutdown(&mut mallory.io).await.unwrap();
        mallory.closed().await;
        assert!(matches!(stage.closed().await.1, CloseReason::Protocol(_) | CloseReason::ConnectionLost(_)));
    }
    let (mut twice, _) = Client::connect(stage.address, &v4("m").user("mallory")).await;
    twice.send(&[0x10, 14, 0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 9, 0, 2, b'm', b'2']).await;
    twice.closed().await;
    alice.ping().await;
    assert_eq!(inbound_topics(&mut stage), [""; 0]);
    stage.stop().await;
}

#[tokio::test]
async fn what_waits_for_a_subscriber_that_does_not_read_is_bounded() {
    let mut setup = Setup::new();
    setup.options.max_queued = 50;
    setup.options.send_timeout = Duration::from_secs(30);
    let stage = setup.start().await;
    let (mut stalled, _) = Client::connect(stage.address, &v4("stalled")).await;
    stalled.subscribe(&[("#", 0)]).await;
    let big = message("t", &"x".repeat(100_000), 0);
    // The socket's buffers, the queue and as much again before it: far below this.
    let mut taken = 0;
    for _ in 0..2_000 {
        taken += stage.broker.publish(None, &big, None).await;
        tokio::task::yield_now().await;
    }
    assert!(taken < 1_000, "{taken} messages wait");
    // Once it reads, it is served again.
    for _ in 0..taken.min(50) {
        stalled.message().await;
    }
    while stage.broker.publish(None, &message("again", "x", 0), None).await == 0 {
        stalled.message().await;
    }
    while stalled.message().await.topic != "again" {}
    stage.stop().await;
}
