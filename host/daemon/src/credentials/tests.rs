//! The vault over records in memory: what fits, what does not, and what is kept.

use super::memory::Kept;
use super::vault::{Identity, MadeToken};
use super::{CheckError, DeviceSecretKind, Presented, Records, TokenKind, Vault, VaultError, device_account};
use dragoman_store::{CredentialKind, CredentialRecord};
use std::sync::Arc;

struct Bench {
    kept: Arc<Kept>,
    vault: Vault,
    _folder: tempfile::TempDir,
}

fn bench() -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let kept = Arc::new(Kept::default());
    let vault = Vault::new(Arc::clone(&kept) as Arc<dyn Records>, folder.path()).unwrap();
    Bench { kept, vault, _folder: folder }
}

impl Bench {
    /// The account and rights it is let in with, or why not.
    async fn check(&self, account: Option<&str>, presented: (Option<&str>, &str)) -> Result<(String, String), String> {
        let presented = presented_by(presented.0, presented.1);
        match self.vault.check("globex", account, &presented).await {
            Ok(Identity { account, rights }) => Ok((account, rights)),
            Err(CheckError::Denied) => Err("denied".to_owned()),
            Err(CheckError::Unavailable(why)) => Err(why),
        }
    }

    async fn create(&self, account: &str, rights: &str, chosen: Option<&str>) -> Result<MadeToken, String> {
        let chosen = chosen.map(str::as_bytes);
        self.vault.create_token("globex", account, rights, None, chosen, 7).await.map_err(|error| error.to_string())
    }

    fn stored(&self, account: &str) -> CredentialRecord {
        self.kept.0.lock().unwrap()[&("globex".to_owned(), account.to_owned())].clone()
    }
}

fn presented_by(account: Option<&str>, secret: &str) -> Presented {
    Presented::new("basic".to_owned(), account.map(str::to_owned), secret.as_bytes().to_vec())
}

fn denied<T>() -> Result<T, String> {
    Err("denied".to_owned())
}

#[tokio::test]
async fn a_made_token_is_good_by_itself_and_with_its_account() {
    let bench = bench();
    let made = bench.create("ak_1", r#"{"path":"a"}"#, None).await.unwrap();
    let secret = made.secret.unwrap();
    assert!(secret.starts_with("dgt_") && secret.len() == 47 && made.warning.is_none());
    let stored = bench.stored("ak_1");
    assert_eq!((stored.kind, stored.secret.len(), stored.created_ms), (CredentialKind::Token, 32, 7));

    let identity = Ok(("ak_1".to_owned(), r#"{"path":"a"}"#.to_owned()));
    assert_eq!(bench.check(None, (None, &secret)).await, identity);
    assert_eq!(bench.check(None, (Some("ak_1"), &secret)).await, identity);
    assert_eq!(bench.check(Some("ak_1"), (Some("any name"), &secret)).await, identity, "the asked account counts");
    assert_eq!(bench.check(None, (Some("ak_2"), &secret)).await, denied(), "a token is no password of another account");
    assert_eq!(bench.check(None, (None, &secret[..46])).await, denied());
    assert_eq!(bench.check(None, (None, "")).await, denied());
    assert_eq!(bench.check(None, (None, &"x".repeat(1_025))).await, denied());
    let other = presented_by(None, &secret);
    assert_eq!(format!("{other:?}"), "Presented { scheme: \"basic\", account: None, .. }");
    assert!(matches!(bench.vault.check("initech", None, &other).await, Err(CheckError::Denied)), "of its dialect only");

    assert!(bench.vault.remove("globex", "ak_1").await.unwrap());
    assert!(!bench.vault.remove("globex", "ak_1").await.unwrap());
    assert_eq!(bench.check(None, (None, &secret)).await, denied());
}

#[tokio::test]
async fn a_chosen_secret_is_a_token_from_16_characters_on() {
    let bench = bench();
    let short = bench.create("short", "{}", Some("123456789012345")).await.unwrap();
    assert!(short.secret.is_none());
    assert_eq!(
        short.warning,
        Some(
            "the chosen secret has less than 16 characters, so it is good only together with its account (Basic, MQTT), \
             not in a token header"
        )
    );
    assert!(bench.stored("short").secret.starts_with(b"$argon2id$v=19$m=12288,t=3,p=1$"));
    assert_eq!(bench.check(None, (None, "123456789012345")).await, denied());
    assert_eq!(bench.check(None, (Some("short"), "123456789012345")).await.unwrap().0, "short");

    let long = bench.create("long", "{}", Some("1234567890123456")).await.unwrap();
    assert!(long.warning.unwrap().starts_with("the chosen secret is kept as a SHA-256"));
    assert_eq!(bench.check(None, (None, "1234567890123456")).await.unwrap().0, "long");
    assert_eq!(bench.check(None, (Some("long"), "1234567890123456")).await.unwrap().0, "long");
}

#[tokio::test]
async fn what_cannot_be_used_is_refused_in_a_sentence() {
    let bench = bench();
    bench.create("taken", "{}", Some("a secret of twenty b")).await.unwrap();
    let long = "x".repeat(257);
    let nested = format!(r#"{{"a":"{}"}}"#, "x".repeat(16_384));
    let table: [(&str, &str, Option<&str>, &str); 11] = [
        ("a", "{}", Some("1234567"), "the secret has 7 bytes; it needs 8 to 1024"),
        ("a", "{}", Some(&"x".repeat(1_025)), "the secret has 1025 bytes; it needs 8 to 1024"),
        ("", "{}", None, "account \"\" cannot be used: it is empty"),
        ("a\nb", "{}", None, "account \"a\\nb\" cannot be used: it contains a control character"),
        (
            "a:b",
            "{}",
            None,
            "account \"a:b\" cannot be used: it contains a colon, which ends the name in Basic authentication",
        ),
        (
            "device/a",
            "{}",
            None,
            "account \"device/a\" cannot be used: names that begin with device/ are those of devices",
        ),
        (&long, "{}", None, &format!("account \"{long}\" cannot be used: it is longer than 256 bytes")),
        (
            "a",
            "[]",
            None,
            "the rights cannot be used: they are not a JSON object (invalid type: sequence, expected a map at line 1 column 0)",
        ),
        ("a", &nested, None, "the rights cannot be used: they are longer than 16384 bytes"),
        ("taken", "{}", None, "account taken of globex has a credential already; remove that one first"),
        (
            "a",
            "{}",
            Some("a secret of twenty b"),
            "this secret belongs to another account of globex already; choose another",
        ),
    ];
    for (account, rights, chosen, expected) in table {
        assert_eq!(bench.create(account, rights, chosen).await.err().as_deref(), Some(expected));
    }
}

#[tokio::test]
async fn a_device_password_is_remembered_until_it_changes() {
    let bench = bench();
    let set = async |secret: &str| {
        bench
            .vault
            .set_device_secret("globex", "lamp-1", DeviceSecretKind::Password, secret.as_bytes(), 1)
            .await
            .unwrap();
    };
    let account = device_account("lamp-1");
    set("first password").await;
    assert_eq!(bench.check(Some(&account), (None, "wrong password")).await, denied());
    assert_eq!(bench.check(Some(&account), (None, "first password")).await.unwrap().0, "device/lamp-1");

    // With the queue full nothing is hashed: what still answers is what was remembered.
    let full = bench.vault.passwords().fill_queue();
    assert_eq!(bench.check(Some(&account), (None, "first password")).await.unwrap().0, "device/lamp-1");
    let busy = Err("256 passwords wait to be checked, the limit".to_owned());
    assert_eq!(bench.check(Some(&account), (None, "wrong password")).await, busy);
    drop(full);

    set("second password").await;
    assert_eq!(bench.check(Some(&account), (None, "first password")).await, denied(), "forgotten with its hash");
    assert_eq!(bench.check(Some(&account), (None, "second password")).await.unwrap().0, "device/lamp-1");
    assert!(bench.vault.secret("globex", &account).await.unwrap().is_none(), "a password is no key");
    assert!(bench.vault.tokens("globex").await.unwrap().is_empty(), "devices are not applications");
}

#[tokio::test]
async fn every_refusal_of_a_named_account_costs_a_password_check() {
    let bench = bench();
    bench.create("token", "{}", None).await.unwrap();
    bench.vault.set_device_secret("globex", "keyed", DeviceSecretKind::Key, b"eight by", 1).await.unwrap();
    let _full = bench.vault.passwords().fill_queue();
    let busy = Err("256 passwords wait to be checked, the limit".to_owned());
    for account in ["nobody", "token", "device/keyed"] {
        assert_eq!(bench.check(Some(account), (None, "wrong")).await, busy, "{account}");
    }
    assert_eq!(bench.check(None, (None, "wrong")).await, denied(), "a token names no account that could be found out");
}

#[tokio::test]
async fn a_device_key_is_kept_encrypted_and_can_be_presented() {
    let bench = bench();
    bench.vault.set_device_secret("globex", "lamp-1", DeviceSecretKind::Key, b"an hmac key", 1).await.unwrap();
    let account = device_account("lamp-1");
    let stored = bench.stored(&account);
    assert_eq!(stored.kind, CredentialKind::Sealed);
    assert!(!stored.secret.windows(11).any(|part| part == b"an hmac key"));
    assert_eq!(bench.vault.secret("globex", &account).await.unwrap().unwrap().as_slice(), b"an hmac key");
    assert_eq!(bench.check(Some(&account), (None, "an hmac key")).await.unwrap().0, account);
    assert_eq!(bench.check(Some(&account), (None, "an hmac keY")).await, denied());
    assert_eq!(bench.vault.device_secret("globex", "lamp-1").await.unwrap(), Some(DeviceSecretKind::Key));
    assert!(bench.vault.device_secret("globex", "lamp-2").await.unwrap().is_none());
    assert!(bench.vault.secret("globex", "device/none").await.unwrap().is_none());

    // A record that was moved to another account opens for neither check nor HMAC.
    let moved = CredentialRecord { account: device_account("lamp-2"), ..stored };
    bench.kept.put(moved).await.unwrap();
    let error = bench.vault.secret("globex", "device/lamp-2").await.unwrap_err().to_string();
    assert!(error.contains("the key of globex account device/lamp-2 cannot be decrypted"), "{error}");
    let error = bench.check(Some("device/lamp-2"), (None, "an hmac key")).await.unwrap_err();
    assert!(error.contains("cannot be decrypted"), "{error}");
}

#[tokio::test]
async fn a_stored_password_that_is_no_hash_is_an_error_not_a_refusal() {
    let bench = bench();
    let secret = b"plain text".to_vec();
    let record = CredentialRecord {
        dialect: "globex".into(),
        account: "odd".to_owned(),
        kind: CredentialKind::Password,
        secret,
        rights: "{}".to_owned(),
        created_ms: 1,
    };
    bench.kept.put(record).await.unwrap();
    let error = bench.check(Some("odd"), (None, "plain text")).await.unwrap_err();
    assert!(error.starts_with("the stored password is no PHC string"), "{error}");
}

#[tokio::test]
async fn two_makers_of_one_account_do_not_both_succeed() {
    let bench = bench();
    // Hashing a short secret takes time between the look at what there is and the write.
    let one = bench.vault.create_token("globex", "ak", "{}", None, Some(b"12345678"), 1);
    let two = bench.vault.create_token("globex", "ak", "{}", None, Some(b"12345678"), 1);
    let (one, two) = tokio::join!(one, two);
    let results = [one.map(drop), two.map(drop)];
    assert_eq!(results.iter().filter(|result| matches!(result, Err(VaultError::Exists { .. }))).count(), 1);
}

#[tokio::test]
async fn a_password_of_a_body_is_checked_like_one_that_was_presented() {
    let bench = bench();
    let long = "a phrase of more than sixteen";
    let rights = r#"{"admin":true}"#;
    let make = |account, kind, secret: &'static str| {
        bench.vault.create_token("globex", account, rights, Some(kind), Some(secret.as_bytes()), 7)
    };
    let made = make("ann", TokenKind::Password, long).await.unwrap();
    assert!(made.secret.is_none() && made.warning.is_none());
    assert_eq!(bench.stored("ann").kind, CredentialKind::Password, "however long it is");
    make("key", TokenKind::Key, "a key that signs with its 32 bytes").await.unwrap();
    bench.create("token", "{}", None).await.unwrap();
    let check = async |account: &str, password: &str| match bench
        .vault
        .check_password("globex", account, password.as_bytes())
        .await
    {
        Ok(identity) => Ok((identity.account, identity.rights)),
        Err(CheckError::Denied) => Err("denied".to_owned()),
        Err(CheckError::Unavailable(why)) => Err(why),
    };
    assert_eq!(check("ann", long).await, Ok(("ann".to_owned(), rights.to_owned())));
    let too_long = "x".repeat(1_025);
    for (account, password) in [
        ("ann", "another phrase of that kind"),
        ("nobody", long),
        ("Ann", long),
        ("", long),
        ("ann", ""),
        ("ann", &too_long),
    ] {
        assert_eq!(check(account, password).await, denied(), "{account}");
    }
    assert!(matches!(bench.vault.check_password("initech", "ann", long.as_bytes()).await, Err(CheckError::Denied)));
    assert_eq!(bench.check(None, (None, long)).await, denied(), "a password is no token");

    // No time tells who exists: each refusal waits for a place in the queue of hashes.
    let _full = bench.vault.passwords().fill_queue();
    for account in ["ann", "nobody", "token", "key"] {
        assert_eq!(
            check(account, "wrong password").await,
            Err("256 passwords wait to be checked, the limit".to_owned())
        );
    }
}

#[tokio::test]
async fn a_signing_key_is_kept_for_the_host_alone() {
    use base64::Engine;
    let bench = bench();
    let make = |account, chosen: Option<&'static [u8]>| {
        bench.vault.create_token("globex", account, "{}", Some(TokenKind::Key), chosen, 7)
    };
    let made = make("jwt", None).await.unwrap();
    let key = made.secret.unwrap();
    let decoded = base64::engine::general_purpose::STANDARD.decode(key.as_bytes()).unwrap();
    assert_eq!((key.len(), decoded.len(), made.warning), (64, 48, None));
    assert_eq!(bench.vault.secret("globex", "jwt").await.unwrap().unwrap().as_slice(), key.as_bytes());
    let stored = bench.stored("jwt");
    assert_eq!(stored.kind, CredentialKind::Sealed);
    assert!(!stored.secret.windows(16).any(|part| part == &key.as_bytes()[..16]));
    assert_eq!(bench.check(None, (None, &key)).await, denied(), "a key is no token");

    let short = make("short", Some(b"31 bytes are one too few, sorry")).await.unwrap();
    assert!(short.warning.unwrap().starts_with("the chosen key has less than 32 bytes"));
    assert!(make("long", Some(b"32 bytes are just long enough...")).await.unwrap().warning.is_none());
    let error = make("tiny", Some(b"1234567")).await.err().unwrap().to_string();
    assert_eq!(error, "the secret has 7 bytes; it needs 8 to 1024");
    let token = bench.vault.create_token("globex", "t", "{}", Some(TokenKind::Token), Some(b"123456789012345"), 7);
    assert_eq!(token.await.err().unwrap().to_string(), "the secret has 15 bytes; it needs 16 to 1024");
}

/// A user name of CONNECT may be an application's, which has many keys; Basic names the account itself.
#[tokio::test]
async fn a_token_is_found_whatever_user_name_connect_has() {
    let bench = bench();
    let key = "a key of twenty bytes";
    for (account, secret) in [("app/key-1", key), ("ann", "a password")] {
        bench.vault.create_token("initech", account, "{}", None, Some(secret.as_bytes()), 1).await.unwrap();
    }
    let check = async |scheme: &str, account: Option<&str>, (name, secret): (&str, &str)| {
        let presented = Presented::new(scheme.to_owned(), Some(name.to_owned()), secret.as_bytes().to_vec());
        bench.vault.check("initech", account, &presented).await.map(|identity| identity.account).ok()
    };
    for (scheme, account, presented, expected) in [
        ("mqtt", None, ("app", key), Some("app/key-1")),
        ("mqtt", None, ("ann", key), Some("app/key-1")),
        ("mqtt", None, ("ann", "a password"), Some("ann")),
        ("mqtt", None, ("app", "a password"), None),
        ("mqtt", None, ("ann", ""), None),
        ("mqtt", Some("ann"), ("app", key), None),
        ("basic", None, ("app", key), None),
        ("basic", None, ("app/key-1", key), Some("app/key-1")),
    ] {
        assert_eq!(check(scheme, account, presented).await.as_deref(), expected, "{scheme} {account:?} {presented:?}");
    }
}
