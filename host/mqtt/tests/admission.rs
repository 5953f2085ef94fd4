//! Who is let in, who has to go, and what is told about it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(unreachable_pub)]
mod common;

use common::wire::{Client, v4, v5};
use common::{Heard, Setup, device, grant, message, open_policy, token};
use dragoman_core::{ConnectRefusal, DeviceId, Grant};
use dragoman_mqtt::{Broker, CloseReason, ConnectAttempt, Delivery};
use std::sync::Arc;
use tokio::sync::Barrier;

#[tokio::test]
async fn each_refusal_has_its_connack_code() {
    let mut setup = Setup::new();
    setup.options.max_client_id_bytes = 20;
    setup.admit = Box::new(|attempt| match attempt.session.username.as_deref() {
        Some("bad-password") => Err(ConnectRefusal::BadCredentials),
        Some("bad-id") => Err(ConnectRefusal::BadClientId),
        Some("later") => Err(ConnectRefusal::Unavailable),
        _ => Err(ConnectRefusal::NotAuthorized),
    });
    let mut stage = setup.start().await;
    for (user, code4, code5) in
        [("bad-password", 4, 0x86), ("nobody", 5, 0x87), ("bad-id", 5, 0x87), ("later", 3, 0x88)]
    {
        for (connect, code) in [(v4("c"), code4), (v5("c"), code5)] {
            let (mut client, connack) = Client::try_connect(stage.address, &connect.user(user)).await;
            assert_eq!(connack.code, code, "{user}");
            client.closed().await;
        }
    }
    let long = "0123456789012345678901";
    assert_eq!(Client::try_connect(stage.address, &v4(long)).await.1.code, 2);
    assert_eq!(Client::try_connect(stage.address, &v5(long)).await.1.code, 0x85);
    assert!(stage.seen().iter().all(|heard| matches!(heard, Heard::Asked(_))), "nobody was let in");
    assert_eq!(stage.broker.stats().refused_connects, 8);
    stage.stop().await;
}

#[tokio::test]
async fn the_daemon_is_asked_once_with_everything_that_connect_said() {
    let mut stage = Setup::new().start().await;
    let mut connect = v5("c1").kept(30);
    connect.keep_alive_s = 77;
    Client::connect(stage.address, &connect).await;
    let (session, resumed) = stage.opened().await;
    assert!(!resumed);
    let asked: Vec<_> = stage
        .seen()
        .into_iter()
        .filter_map(|heard| if let Heard::Asked(attempt) = heard { Some(attempt) } else { None })
        .collect();
    assert_eq!(asked.len(), 1);
    let attempt = &asked[0];
    assert_eq!(attempt.session.id, session.id);
    assert_eq!((&*attempt.session.listener, attempt.session.protocol_level), ("main", 5));
    assert_eq!(attempt.password.as_deref(), Some(&b"secret"[..]));
    assert_eq!((attempt.keep_alive_s, attempt.clean), (77, false));
    assert!(!format!("{attempt:?}").contains("secret"));
    assert_eq!(session.device, Some(device("c1")));
    assert_eq!((session.dialect.as_deref(), session.principal.as_deref()), (Some("test"), Some("c1")));
    stage.stop().await;
}

#[tokio::test]
async fn a_client_without_user_name_is_asked_about_too() {
    let mut setup = Setup::new();
    setup.admit = Box::new(|attempt| {
        assert_eq!(attempt.session.username, None);
        Ok(grant(attempt, open_policy()))
    });
    let mut stage = setup.start().await;
    let mut connect = v4("c1");
    (connect.username, connect.password) = (None, None);
    Client::connect(stage.address, &connect).await;
    stage.opened().await;
    stage.stop().await;
}

#[tokio::test]
async fn a_newer_session_of_the_device_closes_the_older_one() {
    let mut stage = Setup::new().start().await;
    let (mut old, _) = Client::connect(stage.address, &v4("d1_0_0_2026010101").user("d1").kept(60)).await;
    let (old_session, _) = stage.opened().await;
    let (mut new, _) = Client::connect(stage.address, &v4("d1_0_0_2026010102").user("d1")).await;
    old.closed().await;
    let (closed, reason) = stage.closed().await;
    assert_eq!((&closed.id, reason), (&old_session.id, CloseReason::TakenOver));
    let current = stage.broker.session_of(&device("d1")).unwrap();
    assert_eq!(current.client_id, "d1_0_0_2026010102");
    stage.broker.publish_to(&device("d1"), &message("down", "x", 1), false, 9_999, token(0)).await;
    assert_eq!(new.take().await.payload, "x");
    assert_eq!(stage.broker.stats().connected, 1);
    stage.stop().await;
}

/// The user name is the principal, a part before a slash the dialect, and one after an at sign the device.
fn by_name(attempt: &ConnectAttempt) -> Grant {
    let name = attempt.session.username.clone().unwrap_or_default();
    let (dialect, rest) = name.split_once('/').unwrap_or(("test", &name));
    let (principal, device) =
        rest.split_once('@').map_or((rest, None), |(principal, device)| (principal, Some(device)));
    Grant {
        dialect: dialect.into(),
        principal: principal.into(),
        device: device.map(DeviceId::new),
        policy: open_policy(),
    }
}

#[tokio::test]
async fn a_client_id_is_not_given_to_a_stranger() {
    for (connect, refused) in [(v4("shared-id").kept(60), 5), (v5("shared-id").kept(60), 0x87)] {
        let mut setup = Setup::new();
        setup.admit = Box::new(|attempt| Ok(by_name(attempt)));
        let mut stage = setup.start().await;
        let (mut owner, _) = Client::connect(stage.address, &connect.clone().user("alice")).await;
        owner.subscribe(&[("private", 1)]).await;
        for stranger in ["mallory", "other/alice", "mallory@d1", "other/alice@d1"] {
            let (_, connack) = Client::try_connect(stage.address, &connect.clone().user(stranger)).await;
            assert_eq!(connack.code, refused, "{stranger} while it is connected");
        }
        // The owner was not disturbed, and what it left is not given away while it is absent.
        assert_eq!(stage.broker.publish(None, &message("private", "x", 1), None).await, 1);
        owner.take().await;
        drop(owner);
        stage.closed().await;
        let (_, connack) = Client::try_connect(stage.address, &connect.clone().user("mallory")).await;
        assert_eq!(connack.code, refused, "while it is away");
        let (_owner, connack) = Client::connect(stage.address, &connect.clone().user("alice")).await;
        assert!(connack.session_present);
        stage.stop().await;
    }
}

#[tokio::test]
async fn a_device_takes_its_client_id_over_under_another_principal_and_begins_anew() {
    let mut setup = Setup::new();
    setup.admit = Box::new(|attempt| Ok(by_name(attempt)));
    let stage = setup.start().await;
    let (mut first, _) = Client::connect(stage.address, &v4("id").kept(60).user("key1@d1")).await;
    first.subscribe(&[("private", 1)]).await;
    let (mut second, connack) = Client::connect(stage.address, &v4("id").kept(60).user("other/key2@d1")).await;
    assert!(!connack.session_present);
    first.closed().await;
    assert_eq!(stage.broker.publish(None, &message("private", "x", 1), None).await, 0);
    second.nothing_more().await;
    assert!(stage.broker.subscriptions(&stage.broker.session_of(&device("d1")).unwrap().id).is_empty());
    stage.stop().await;
}

#[tokio::test]
async fn strangers_who_come_at_once_do_not_inherit_from_each_other() {
    let mut setup = Setup::new();
    setup.admit = Box::new(|attempt| Ok(by_name(attempt)));
    // Both are let in before one of them is there.
    setup.together = Some(Arc::new(Barrier::new(2)));
    let stage = setup.start().await;
    let address = stage.address;
    for round in 0..20 {
        let one = v4(&format!("c{round}")).kept(60).user("alice");
        let other = one.clone().user("mallory");
        let all = tokio::join!(Client::try_connect(address, &one), Client::try_connect(address, &other));
        let let_in = [all.0.1, all.1.1].into_iter().filter(|connack| connack.code == 0);
        let let_in: Vec<_> = let_in.map(|connack| connack.session_present).collect();
        assert_eq!(let_in, [false], "round {round}");
    }
    stage.stop().await;
}

#[tokio::test]
async fn presence_tells_why_a_session_ended() {
    let mut stage = Setup::new().start().await;
    let (client, _) = Client::connect(stage.address, &v4("c")).await;
    client.reset();
    assert!(matches!(stage.closed().await.1, CloseReason::ConnectionLost(_)));

    // A client that says goodbye and does not hang up is away at once, and hung up on.
    let (mut client, _) = Client::connect(stage.address, &v4("c")).await;
    client.disconnect().await;
    client.closed().await;
    assert_eq!(stage.closed().await.1, CloseReason::ByClient);

    let (mut client, _) = Client::connect(stage.address, &v4("c")).await;
    stage.broker.close_device(&DeviceId::new("c")).await;
    client.closed().await;
    assert_eq!(stage.closed().await.1, CloseReason::ByHost);

    let mut short = v5("c");
    short.keep_alive_s = 1;
    let (mut client, _) = Client::connect(stage.address, &short).await;
    client.closed().await;
    assert_eq!(stage.closed().await.1, CloseReason::KeepAlive);

    let (mut client, _) = Client::connect(stage.address, &v4("c")).await;
    client.send(&[0xf0, 0]).await;
    client.closed().await;
    assert!(matches!(stage.closed().await.1, CloseReason::Protocol(_)));
    assert_eq!(stage.broker.publish_to(&device("c"), &message("t", "x", 0), false, 1, token(0)).await, Delivery::Away);
    stage.stop().await;
}

#[tokio::test]
async fn a_thousand_instant_reconnects_are_let_in_and_each_session_is_closed_once() {
    let mut stage = Setup::new().start().await;
    for round in 0..1000 {
        // Clean and persistent, with and without goodbye, take-over and reconnect.
        let connect = if round % 2 == 0 { v4("c") } else { v4("c").kept(60) };
        let (mut client, connack) = Client::try_connect(stage.address, &connect).await;
        assert_eq!(connack.code, 0, "round {round}");
        match round % 3 {
            0 => drop(client),
            1 => client.disconnect().await,
            _ => client.reset(),
        }
    }
    for _ in 0..1000 {
        stage.closed().await;
    }
    let ids = |pick: fn(&Heard) -> Option<String>, all: &[Heard]| {
        let mut ids: Vec<_> = all.iter().filter_map(pick).collect();
        ids.sort_unstable();
        ids
    };
    let seen = stage.seen();
    let opened =
        ids(|heard| if let Heard::Opened(session, _) = heard { Some(session.id.to_string()) } else { None }, &seen);
    let closed =
        ids(|heard| if let Heard::Closed(session, _) = heard { Some(session.id.to_string()) } else { None }, &seen);
    assert_eq!((opened.len(), &opened), (1000, &closed));
    assert_eq!(stage.broker.stats().connected, 0);
    stage.stop().await;
}

#[tokio::test]
async fn take_over_by_many_at_once_leaves_one_session() {
    let mut stage = Setup::new().start().await;
    let address = stage.address;
    let all = (0..20).map(|n| {
        let connect = v4(&format!("c{}", n % 4)).user("d1");
        async move { Client::try_connect(address, &connect).await }
    });
    let clients = futures::future::join_all(all).await;
    assert!(clients.iter().all(|(_, connack)| connack.code == 0));
    for _ in 0..19 {
        stage.closed().await;
    }
    let winner = stage.broker.session_of(&device("d1")).unwrap();
    assert_eq!(stage.broker.stats().connected, 1);
    let closed = stage.seen();
    assert!(!closed.iter().any(|heard| matches!(heard, Heard::Closed(session, _) if session.id == winner.id)));
    stage.stop().await;
}
