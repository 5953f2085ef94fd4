//! Sessions: those of the asking dialect, and no others.

use crate::world::{patient, said, session, world};
use dragoman_core::{Policy, SessionId, Subscription};
use dragoman_wasm::{PluginOptions, PluginWrite, Start, Verdict};

fn s1() -> SessionId {
    SessionId::new("s1")
}

#[tokio::test]
async fn own_sessions_are_read_and_others_are_not_there() {
    let world = world(patient(), PluginOptions::default()).await;
    let script = "session s1\nsession s1\nsession s9\nsession s7\nsubscriptions s1\nsubscriptions s1\n\
                  subscriptions s9\ndevice-subscriptions d1\ndevice-subscriptions d1\ndevice-subscriptions d2\n\
                  notes s1\nnotes s1\nnotes s9\nnotes s7";
    let seen = world.says(script).await;
    let lines: Vec<_> = seen.split('\n').collect();
    assert_eq!(lines[..4], ["read 1", "read 1", "none", "none"]);
    assert!(lines[4].starts_with("a/") && lines[4] == lines[5], "{seen}");
    assert_eq!(lines[6], "");
    assert!(lines[7].starts_with("b/") && lines[7] == lines[8], "{seen}");
    assert_eq!(lines[9], "none");
    assert!(lines[10].starts_with("{\"read\":") && lines[10] == lines[11], "{seen}");
    assert_eq!(lines[12..], ["none", "none"]);
}

#[tokio::test]
async fn nothing_is_written_about_a_session_of_another_dialect() {
    let world = world(patient(), PluginOptions::default()).await;
    for id in ["s9", "s7"] {
        let denied = format!("Error::Denied(\"this dialect has no session `{id}`\")");
        for write in
            ["put-notes ID {}", "policy ID a/b", "follow ID t 5", "unfollow ID", "close ID", "publish a/b 1 ID"]
        {
            let done = world.request(&write.replace("ID", id)).await.unwrap();
            assert_eq!((said(Ok(done.clone())), done.writes), (denied.clone(), Vec::new()), "{write}");
        }
    }
}

#[tokio::test]
async fn notes_are_read_as_the_call_wrote_them() {
    let world = world(patient(), PluginOptions::default()).await;
    let script = "put-notes s1 {\"n\":1}\nnotes s1\nput-notes s1 {\"n\":2}\nnotes s1\nput-notes s1 {";
    let done = world.request(script).await.unwrap();
    let seen = said(Ok(done.clone()));
    let lines: Vec<_> = seen.lines().collect();
    assert_eq!(lines[..4], ["ok", "{\"n\":1}", "ok", "{\"n\":2}"]);
    assert!(lines[4].starts_with("Error::Invalid(\"the notes of a session is not valid JSON"), "{seen}");
    assert_eq!(done.writes, [PluginWrite::PutNotes { session: s1(), notes: "{\"n\":2}".into() }]);
}

#[tokio::test]
async fn a_session_is_given_a_policy_followed_and_closed() {
    let world = world(patient(), PluginOptions::default()).await;
    let done = world.request("policy s1 a/+/b\nfollow s1 t 5\nunfollow s1 t\nunfollow s1\nclose s1\nclose s1").await;
    let done = done.unwrap();
    assert_eq!(said(Ok(done.clone())), ["ok"; 6].join("\n"));
    let policy = Policy {
        publish: vec!["a/+/b".into()],
        implicit: vec![Subscription { filter: "scripted/down".into(), qos: 1 }],
        ..Policy::default()
    };
    assert_eq!(
        done.writes,
        [
            PluginWrite::SetPolicy { session: s1(), principal: Some("somebody".into()), policy },
            PluginWrite::Follow {
                session: s1(),
                tag: "t".into(),
                labels: vec![("a".into(), "b".into())],
                start: Start::Position(7),
                limit: 5,
                live: true,
            },
            PluginWrite::Unfollow { session: s1(), tag: Some("t".into()) },
            PluginWrite::Unfollow { session: s1(), tag: None },
            PluginWrite::Close(s1()),
        ]
    );
}

#[tokio::test]
async fn what_is_written_about_a_session_has_bounds() {
    let world = world(patient(), PluginOptions::default()).await;
    for (script, told) in [
        ("policy s1 a/#/b", "Error::Invalid(\"`a/#/b` is not a topic filter"),
        ("follow s1 t 0", "Error::Invalid(\"a replay of 0 transitions is not one of 1 to 1000\")"),
        ("follow s1 t 1000", "ok"),
        ("follow s1 t 1001", "Error::Invalid(\"a replay of 1001 transitions is not one of 1 to 1000\")"),
        ("follow s1 long 5", "Error::Limit(\"there are 129 bytes in the tag of a following, but at most 128"),
        ("long-notes s1 65536", "ok"),
        ("long-notes s1 65537", "Error::Limit(\"the notes of a session has 65537 bytes"),
    ] {
        let said = world.says(script).await;
        assert!(said.starts_with(told), "{script}: {said}");
    }
}

#[tokio::test]
async fn while_a_session_is_admitted_notes_are_written_about_it_alone() {
    let world = world(patient(), PluginOptions::default()).await;
    let script = "put-notes s1 {\"n\":1}\nnotes s1\nput-notes s2 {}\nput-notes s9 {}";
    let done = world.plugin.authenticate(world.call(), &session(script), 0, true).await.unwrap();
    let Verdict::Accept(grant) = &done.value else { panic!() };
    let denied = |id: &str| format!("Error::Denied(\"this dialect has no session `{id}`\")");
    assert_eq!(grant.principal, format!("ok,{{\"n\":1}},{},{} 0 true", denied("s2"), denied("s9")));
    assert_eq!(done.writes, [PluginWrite::PutNotes { session: s1(), notes: "{\"n\":1}".into() }]);
}
