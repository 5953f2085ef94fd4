//! Credentials and persistent MQTT sessions.

use crate::gate::Gate;
use crate::support::*;
use crate::{Place, commit, journal};
use dragoman_store::{CredentialKind, Journal, JournalOptions, Write};

pub async fn a_credential_comes_back_by_account_and_by_token(place: &impl Place) {
    let journal = journal(place);
    let token = credential("app", CredentialKind::Token, &[0, 1, 255]);
    journal.append(vec![Write::Credential(token.clone())]).unwrap();
    for _ in 0..2 {
        assert_eq!(journal.credential("globex", "app").await.unwrap(), Some(token.clone()));
        assert_eq!(journal.credential_by_token("globex", &[0, 1, 255]).await.unwrap(), Some(token.clone()));
        assert_eq!(journal.credential_by_token("initech", &[0, 1, 255]).await.unwrap(), None);
        assert_eq!(journal.credential_by_token("globex", &[0, 1]).await.unwrap(), None);
        assert_eq!(journal.credential("initech", "app").await.unwrap(), None);
        journal.flush().await.unwrap();
    }
}

pub async fn only_tokens_are_found_by_hash(place: &impl Place) {
    let journal = journal(place);
    journal
        .append(vec![
            Write::Credential(credential("sealed", CredentialKind::Sealed, b"key")),
            Write::Credential(credential("password", CredentialKind::Password, b"key")),
        ])
        .unwrap();
    for _ in 0..2 {
        assert_eq!(journal.credential_by_token("globex", b"key").await.unwrap(), None);
        assert_eq!(journal.credential("globex", "sealed").await.unwrap().unwrap().kind, CredentialKind::Sealed);
        assert_eq!(journal.credential("globex", "password").await.unwrap().unwrap().kind, CredentialKind::Password);
        journal.flush().await.unwrap();
    }
    let shown = format!("{:?}", credential("sealed", CredentialKind::Sealed, b"hush"));
    assert!(!shown.contains("secret") && !shown.contains("104"), "{shown}");
}

pub async fn credentials_are_replaced_removed_and_listed(place: &impl Place) {
    let journal = journal(place);
    for account in ["c", "a", "b"] {
        journal.append(vec![Write::Credential(credential(account, CredentialKind::Password, b"1"))]).unwrap();
    }
    journal.append(vec![Write::Credential(credential("b", CredentialKind::Token, b"2"))]).unwrap();
    journal.append(vec![Write::CredentialRemove { dialect: "globex".into(), account: "a".to_owned() }]).unwrap();
    let listed = journal.credentials("globex").await.unwrap();
    assert_eq!(listed, [credential("b", CredentialKind::Token, b"2"), credential("c", CredentialKind::Password, b"1")]);
    assert_eq!(journal.credentials("initech").await.unwrap(), []);
}

pub async fn a_revoked_token_is_refused_at_once(place: &impl Place) {
    let journal = journal(place);
    let token = |hash: &[u8]| Write::Credential(credential("app", CredentialKind::Token, hash));
    journal.append(vec![token(b"old")]).unwrap();
    journal.flush().await.unwrap();
    journal.append(vec![token(b"new")]).unwrap();
    assert_eq!(journal.credential_by_token("globex", b"old").await.unwrap(), None);
    assert!(journal.credential_by_token("globex", b"new").await.unwrap().is_some());
    journal.flush().await.unwrap();
    journal.append(vec![Write::CredentialRemove { dialect: "globex".into(), account: "app".to_owned() }]).unwrap();
    for _ in 0..2 {
        assert_eq!(journal.credential_by_token("globex", b"new").await.unwrap(), None);
        assert_eq!(journal.credential("globex", "app").await.unwrap(), None);
        journal.flush().await.unwrap();
    }
}

pub async fn tokens_are_read_from_memory_until_a_credential_is_written(place: &impl Place) {
    let gate = Gate::new(place.open());
    let journal = Journal::start(gate.clone(), JournalOptions::default()).unwrap();
    journal.append(vec![Write::Credential(credential("app", CredentialKind::Token, b"old"))]).unwrap();
    journal.flush().await.unwrap();
    for _ in 0..5 {
        assert!(journal.credential_by_token("globex", b"old").await.unwrap().is_some());
        assert_eq!(journal.credential_by_token("initech", b"old").await.unwrap(), None);
    }
    assert_eq!(gate.point_reads(), 1 + 5, "what is no token is looked up each time");
    journal.append(vec![Write::Credential(credential("app", CredentialKind::Token, b"new"))]).unwrap();
    for _ in 0..2 {
        assert_eq!(journal.credential_by_token("globex", b"old").await.unwrap(), None);
        assert!(journal.credential_by_token("globex", b"new").await.unwrap().is_some());
        journal.flush().await.unwrap();
    }
    let before = gate.point_reads();
    for _ in 0..3 {
        assert!(journal.credential_by_token("globex", b"new").await.unwrap().is_some());
    }
    assert!(gate.point_reads() <= before + 1, "it is in memory");
    journal.append(vec![Write::CredentialRemove { dialect: "globex".into(), account: "app".to_owned() }]).unwrap();
    for _ in 0..2 {
        assert_eq!(journal.credential_by_token("globex", b"new").await.unwrap(), None);
        journal.flush().await.unwrap();
    }
}

/// A commit may come between any two steps of a look-up, and it finds no token that was revoked before it began.
pub async fn a_revoked_token_is_refused_during_commits(place: &impl Place) {
    let journal = journal(place);
    for round in 0..300_u32 {
        let hash = |n: u32| n.to_be_bytes();
        journal.append(vec![Write::Credential(credential("app", CredentialKind::Token, &hash(round)))]).unwrap();
        if round % 7 == 0 {
            tokio::task::yield_now().await;
        }
        if let Some(before) = round.checked_sub(1) {
            assert_eq!(journal.credential_by_token("globex", &hash(before)).await.unwrap(), None);
        }
        assert!(journal.credential_by_token("globex", &hash(round)).await.unwrap().is_some());
    }
}

pub async fn mqtt_sessions_are_kept_replaced_and_removed(place: &impl Place) {
    {
        let backend = place.open();
        commit(&backend, ["c", "a", "b"].map(|client| Write::MqttSession(mqtt_session(client, &["to/+/#"]))));
        commit(
            &backend,
            [Write::MqttSession(mqtt_session("b", &["x", "y"])), Write::MqttSessionRemove("c".to_owned())],
        );
        commit(&backend, [Write::MqttSessionRemove("nobody".to_owned())]);
    }
    let backend = place.open();
    assert_eq!(backend.mqtt_sessions().unwrap(), [mqtt_session("a", &["to/+/#"]), mqtt_session("b", &["x", "y"])]);
}
