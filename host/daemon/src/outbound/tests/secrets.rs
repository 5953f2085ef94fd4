//! The value of `authorization_file` reaches the target and nobody else.

use super::server::{Act, Server};
use super::*;
use crate::outbound::{Client, StartError};
use std::io::Write as _;
use std::sync::Mutex;
use tracing_subscriber::layer::SubscriberExt;

const SECRET: &str = "s3cret-of-the-target";

/// What is logged, all of it.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_secret_is_sent_and_neither_kept_nor_logged() {
    let lines = Lines::default();
    let writer = lines.clone();
    let log = tracing_subscriber::fmt::layer().with_writer(move || writer.clone());
    let _logging = tracing::subscriber::set_default(tracing_subscriber::registry().with(log));
    let mut server = Server::start(|seen, _| {
        // As a careless target does.
        Act::Answer("403 Forbidden", "", format!("not allowed: {}", seen.header("authorization").unwrap_or_default()))
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("alarms.authorization");
    std::fs::write(&file, format!("Bearer {SECRET}\n")).unwrap();
    let config = TargetConfig { authorization_file: Some(file), ..quick(&server.url) };
    assert!(!format!("{config:?}").contains(SECRET));
    let bench = Bench::start(folder.path(), &[("alarms", config)]).await;
    bench.post("/a").unwrap();
    assert_eq!(server.next().await.header("authorization"), Some(format!("Bearer {SECRET}").as_str()));
    bench.until(|state| state.given_up == 1).await;
    let rows = bench.rows().await;
    assert_eq!(rows[0].last_answer.as_deref(), Some("403 Forbidden: not allowed: [secret]"));
    bench.kill().await;
    let logged = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("a request was given up"), "{logged}");
    assert!(!logged.contains(SECRET), "{logged}");
    for entry in std::fs::read_dir(folder.path()).unwrap().map(Result::unwrap) {
        if entry.file_name() != "alarms.authorization" {
            let bytes = std::fs::read(entry.path()).unwrap();
            assert!(!bytes.windows(SECRET.len()).any(|part| part == SECRET.as_bytes()), "{:?}", entry.path());
        }
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_named_without_what_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::File::create(&path).unwrap().write_all(text.as_bytes()).unwrap();
        path
    };
    let refused = |config: TargetConfig| Client::new("alarms", &config).map(drop).unwrap_err().to_string();
    let secret = |path| TargetConfig { authorization_file: Some(path), ..quick("http://a") };
    let missing = folder.path().join("missing");
    let at = |path: &Path| path.display().to_string();
    assert_eq!(
        refused(secret(missing.clone())),
        format!(
            "targets.alarms.authorization_file names {}, which cannot be read: No such file or directory (os error 2); \
             make the file or correct the key",
            at(&missing)
        )
    );
    for text in ["", " \n", "a\nb", "a\u{7}"] {
        let path = file("secret", text);
        let expected = format!("targets.alarms.authorization_file names {}, which is no value of a header", at(&path));
        assert!(refused(secret(path)).starts_with(&expected), "{text:?}");
    }
    let ca = |path| TargetConfig { ca_file: Some(path), ..quick("https://a") };
    for text in ["", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let path = file("ca", text);
        let expected = format!("targets.alarms.ca_file names {}, which holds no usable certificate", at(&path));
        assert!(refused(ca(path)).starts_with(&expected), "{text:?}");
    }
    let targets = [("alarms".to_owned(), secret(missing))].into();
    let backend = SqliteBackend::open(folder.path().join("store.db"), &SqliteOptions::default()).unwrap();
    let journal = Journal::start(Arc::new(backend), JournalOptions::default()).unwrap();
    assert!(matches!(Outbound::start(&targets, journal, now_ms).await, Err(StartError::Target(_))));
}
