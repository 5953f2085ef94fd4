//! Certificates of listeners, from their files to the wire.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::{Reload, TlsListener, certificate, files};
use crate::config::{TlsConfig, TlsFiles};
use crate::http::server::{Server, ServerLimits};
use axum::Router;
use axum::routing::get;
use dragoman_mqtt::TlsAccept;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SerialNumber, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Longer than anything that works takes.
const SOON: Duration = Duration::from_secs(20);
const DAY_S: u64 = 86_400;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate and its key.
struct Pair {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

fn signed(authority: &Authority, serial: u8, change: impl FnOnce(&mut CertificateParams)) -> Pair {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.serial_number = Some(SerialNumber::from_slice(&[serial]));
    change(&mut params);
    Pair { certificate: params.signed_by(&key, authority).unwrap(), key }
}

fn good(authority: &Authority, serial: u8) -> Pair {
    signed(authority, serial, |_| {})
}

/// A folder with the files of a listener.
struct Folder(TempDir);

impl Folder {
    fn with(pair: &Pair) -> Self {
        let folder = Self(TempDir::new().unwrap());
        folder.put_certificate(&pair.certificate.pem());
        folder.put_key(&pair.key.serialize_pem());
        folder
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn put_certificate(&self, pem: &str) {
        std::fs::write(self.path().join("a.pem"), pem).unwrap();
    }

    fn put_key(&self, pem: &str) {
        let path = self.path().join("a.key");
        std::fs::write(&path, pem).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    }

    fn trust(&self, pem: &str) {
        std::fs::write(self.path().join("ca.pem"), pem).unwrap();
    }

    fn files(&self, is_mutual: bool) -> TlsFiles {
        TlsFiles {
            certificate: self.path().join("a.pem"),
            key: self.path().join("a.key"),
            client_ca: is_mutual.then(|| self.path().join("ca.pem")),
        }
    }

    fn open(&self, is_mutual: bool) -> Arc<TlsListener> {
        TlsListener::open("http", &self.files(is_mutual), true, &TlsConfig::default()).unwrap()
    }

    /// What `dragoman check` says, without the name of the folder.
    fn check(&self, is_mutual: bool) -> Result<String, String> {
        let plain = |text: String| text.replace(&format!("{}/", self.path().display()), "");
        files::check("http", &self.files(is_mutual), true).map(plain).map_err(|error| plain(error.to_string()))
    }
}

fn client(authority: &Authority, identity: Option<&Pair>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(authority.as_ref().der().clone()).unwrap();
    let builder = files::trusting("a test", roots).unwrap();
    match identity {
        None => builder.with_no_client_auth(),
        Some(pair) => {
            let key = PrivateKeyDer::Pkcs8(pair.key.serialize_der().into());
            builder.with_client_auth_cert(vec![pair.certificate.der().clone()], key).unwrap()
        }
    }
}

async fn connect(config: ClientConfig, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

fn serial(stream: &TlsStream<TcpStream>) -> String {
    let shown: &CertificateDer<'_> = &stream.get_ref().1.peer_certificates().unwrap()[0];
    certificate::read(shown).unwrap().serial
}

/// One handshake: what the client has, and whether the listener took it.
async fn shake(listener: &TlsListener, config: ClientConfig) -> (std::io::Result<TlsStream<TcpStream>>, bool) {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let outside = TcpStream::connect(port.local_addr().unwrap()).await.unwrap();
    let (inside, remote) = port.accept().await.unwrap();
    let both = async { tokio::join!(connect(config, outside), listener.accept(inside, remote)) };
    let (client, server) = timeout(SOON, both).await.expect("a handshake ends");
    (client, server.is_some())
}

async fn serial_now(listener: &TlsListener, authority: &Authority) -> String {
    let (client, taken) = shake(listener, client(authority, None)).await;
    assert!(taken);
    serial(&client.unwrap())
}

#[test]
fn what_is_wrong_with_the_files_is_said() {
    let authority = authority();
    let pair = good(&authority, 1);
    let valid = "a.pem is valid until Sun, 01 Jan 4096 00:00:00 GMT";
    assert_eq!(Folder::with(&pair).check(false).unwrap(), valid);
    let mutual = Folder::with(&pair);
    mutual.trust(&authority.as_ref().pem());
    assert_eq!(mutual.check(true).unwrap(), format!("{valid}, clients need a certificate of {}", "ca.pem"));

    type Damage<'a> = &'a dyn Fn(&Folder);
    let cases: [(&str, Damage<'_>); 7] = [
        ("http.certificate_file names a.pem, which cannot be read: ", &|folder| {
            std::fs::remove_file(folder.path().join("a.pem")).unwrap();
        }),
        ("http.certificate_file names a.pem, which holds no usable certificate (it has none); expected", &|folder| {
            folder.put_certificate("nothing");
        }),
        ("http.certificate_file names a.pem, which holds no usable certificate (", &|folder| {
            folder.put_certificate("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        }),
        ("http.key_file names a.key, which cannot be read: ", &|folder| {
            std::fs::remove_file(folder.path().join("a.key")).unwrap();
        }),
        ("http.key_file names a.key, which holds no usable key (", &|folder| folder.put_key("nothing")),
        ("http: a.key is not the key of the first certificate in a.pem; put two files there", &|folder| {
            folder.put_key(&KeyPair::generate().unwrap().serialize_pem());
        }),
        ("http.client_ca_file names ca.pem, which holds no usable certificate (it has none)", &|folder| {
            folder.trust("# nobody\n");
        }),
    ];
    for (expected, spoil) in cases {
        let folder = Folder::with(&pair);
        folder.trust(&authority.as_ref().pem());
        spoil(&folder);
        let error = folder.check(true).unwrap_err();
        assert!(error.starts_with(expected), "{error}");
        assert!(TlsListener::open("http", &folder.files(true), true, &TlsConfig::default()).is_err(), "{expected}");
    }
}

#[test]
fn a_certificate_out_of_its_time_is_found_and_one_that_soon_is_remarked() {
    let authority = authority();
    let expired = Folder::with(&signed(&authority, 1, |params| {
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    }));
    let text = "http.certificate_file names a.pem, whose certificate expired on Fri, 01 Jan 2021 00:00:00 GMT; renew it, the file \
                is read again by itself";
    assert_eq!(expired.check(false).unwrap_err(), text);
    assert!(TlsListener::open("http", &expired.files(false), true, &TlsConfig::default()).is_ok(), "the daemon starts");
    let early = Folder::with(&signed(&authority, 1, |params| params.not_before = date_time_ymd(3000, 1, 1)));
    assert!(early.check(false).unwrap_err().contains("is not valid before Wed, 01 Jan 3000"));

    let folder = Folder::with(&good(&authority, 1));
    let not_after_s = 67_090_118_400;
    for (left_s, expected) in [(30 * DAY_S, 0), (30 * DAY_S - 1, 1), (DAY_S, 1), (0, 0)] {
        let now_s = not_after_s - left_s;
        let loaded = files::load("http", &folder.files(false), true, now_s).unwrap();
        assert_eq!(loaded.remarks.len(), expected, "{left_s}: {:?}", loaded.remarks);
        assert!(files::in_its_time("http", &folder.files(false), &loaded.certificate, now_s).is_ok());
    }
    let loaded = files::load("http", &folder.files(false), true, not_after_s - 2 * DAY_S).unwrap();
    let remark = "the certificate of http expires in 2 days, on Sun, 01 Jan 4096 00:00:00 GMT; renew it, the file is read again by \
                  itself";
    assert_eq!(loaded.remarks, [remark]);
    assert!(files::in_its_time("http", &folder.files(false), &loaded.certificate, not_after_s + 1).is_err());

    std::fs::set_permissions(folder.path().join("a.key"), PermissionsExt::from_mode(0o644)).unwrap();
    let said = folder.check(false).unwrap();
    assert!(
        said.contains("; every user of this machine may read or change a.key; take that away with chmod o= a.key"),
        "{said}"
    );
}

#[tokio::test]
async fn a_new_pair_is_taken_whole_and_a_broken_one_is_not() {
    let authority = authority();
    let folder = Folder::with(&good(&authority, 1));
    let listener = folder.open(false);
    let mut reload = Reload::of(vec![listener.clone()]);
    assert_eq!(serial_now(&listener, &authority).await, "01");
    let (open, _) = shake(&listener, client(&authority, None)).await;

    let second = good(&authority, 2);
    folder.put_certificate(&second.certificate.pem());
    reload.look(false);
    reload.look(false);
    assert_eq!(serial_now(&listener, &authority).await, "01", "half of a pair is not taken");
    folder.put_key(&second.key.serialize_pem());
    reload.look(false);
    assert_eq!(serial_now(&listener, &authority).await, "02");
    assert_eq!(serial(&open.unwrap()), "01", "what was open stays");

    folder.put_certificate("nothing");
    reload.look(false);
    reload.look(true);
    assert_eq!(serial_now(&listener, &authority).await, "02");
    let expired = signed(&authority, 3, |params| {
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    });
    folder.put_certificate(&expired.certificate.pem());
    folder.put_key(&expired.key.serialize_pem());
    reload.look(true);
    assert_eq!(serial_now(&listener, &authority).await, "02");
}

/// Kubernetes swaps a link to the folder, certbot one to the file; the paths of the configuration stay as they are.
#[tokio::test]
async fn a_link_that_is_swapped_is_followed() {
    let authority = authority();
    let folder = TempDir::new().unwrap();
    for serial in [1, 2] {
        let pair = good(&authority, serial);
        let version = folder.path().join(format!("..version{serial}"));
        std::fs::create_dir(&version).unwrap();
        std::fs::write(version.join("tls.crt"), pair.certificate.pem()).unwrap();
        std::fs::write(version.join("tls.key"), pair.key.serialize_pem()).unwrap();
    }
    symlink("..version1", folder.path().join("..data")).unwrap();
    for name in ["tls.crt", "tls.key"] {
        symlink(format!("..data/{name}"), folder.path().join(name)).unwrap();
    }
    let at = |name: &str| folder.path().join(name);
    let files = TlsFiles { certificate: at("tls.crt"), key: at("tls.key"), client_ca: None };
    let listener = TlsListener::open("mqtt", &files, false, &TlsConfig::default()).unwrap();
    let mut reload = Reload::of(vec![listener.clone()]);
    symlink("..version2", at("..data_tmp")).unwrap();
    std::fs::rename(at("..data_tmp"), at("..data")).unwrap();
    reload.look(false);
    assert_eq!(serial_now(&listener, &authority).await, "02");
}

#[tokio::test]
async fn only_clients_with_a_certificate_of_the_authority_get_in() {
    let (ours, theirs) = (authority(), authority());
    let folder = Folder::with(&good(&ours, 1));
    folder.trust(&ours.as_ref().pem());
    let listener = folder.open(true);
    let as_client = |params: &mut CertificateParams| {
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    };
    let known = signed(&ours, 7, as_client);
    let stranger = signed(&theirs, 7, as_client);
    let expired = signed(&ours, 7, |params| {
        as_client(params);
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    });
    for (identity, expected) in [(Some(&known), true), (None, false), (Some(&stranger), false), (Some(&expired), false)]
    {
        let (_, taken) = shake(&listener, client(&ours, identity)).await;
        assert_eq!(taken, expected);
    }
    // The authority is swapped like the certificate; nobody gets in with a session from before.
    let same = client(&ours, Some(&known));
    assert!(shake(&listener, same.clone()).await.1);
    folder.trust(&theirs.as_ref().pem());
    Reload::of(vec![listener.clone()]).look(true);
    assert!(!shake(&listener, same).await.1);
    assert!(shake(&listener, client(&ours, Some(&stranger))).await.1);
}

#[tokio::test]
async fn a_handshake_has_its_time_and_its_place() {
    let authority = authority();
    let folder = Folder::with(&good(&authority, 1));
    let bounds = TlsConfig { handshake_timeout_ms: 200, handshakes_max: 1 };
    let listener = TlsListener::open("mqtt", &folder.files(false), false, &bounds).unwrap();
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut silent = TcpStream::connect(port.local_addr().unwrap()).await.unwrap();
    let (inside, remote) = port.accept().await.unwrap();
    // The first half of a record, and then nothing.
    silent.write_all(&[0x16, 3, 1, 2, 0, 1]).await.unwrap();
    let cut = tokio::spawn({
        let listener = listener.clone();
        async move { listener.accept(inside, remote).await.is_none() }
    });
    let taken = async {
        while listener.handshakes_free() > 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, taken).await.expect("it takes the only place");
    assert!(timeout(SOON, cut).await.expect("it is cut in time").unwrap());
    let mut rest = Vec::new();
    // Reset or closed: it is over either way.
    let _ = timeout(SOON, silent.read_to_end(&mut rest)).await.expect("the connection is closed");
    assert_eq!(serial_now(&listener, &authority).await, "01", "its place is free again");
}

/// A listener with one answer, and what stops it.
async fn serve(
    listener: &Arc<TlsListener>,
) -> (std::net::SocketAddr, watch::Sender<bool>, tokio::task::JoinHandle<()>) {
    let limits = ServerLimits { connections_max: 10, headers_max: 64 };
    let server = Server::bind("127.0.0.1:0".parse().unwrap(), Some(listener.clone()), limits).unwrap();
    let address = server.address().unwrap();
    let (stop, stopping) = watch::channel(false);
    let router = Router::new().route("/", get(|| async { "hello" }));
    (address, stop, tokio::spawn(server.run(router, stopping)))
}

/// One request on a connection that stays open.
async fn ask(stream: &mut TlsStream<TcpStream>) -> String {
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"hello") {
        let mut chunk = [0; 1_024];
        let length = timeout(SOON, stream.read(&mut chunk)).await.expect("an answer").unwrap();
        assert!(length > 0, "an answer, not the end of the connection");
        answer.extend_from_slice(&chunk[..length]);
    }
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn http_is_answered_over_tls_also_on_a_connection_that_is_older_than_the_certificate() {
    let authority = authority();
    let folder = Folder::with(&good(&authority, 1));
    let listener = folder.open(false);
    let (address, stop, served) = serve(&listener).await;
    let mut config = client(&authority, None);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let open = async || connect(config.clone(), TcpStream::connect(address).await.unwrap()).await.unwrap();
    let mut old = open().await;
    assert_eq!(old.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert!(ask(&mut old).await.starts_with("HTTP/1.1 200 OK"));

    let second = good(&authority, 2);
    folder.put_certificate(&second.certificate.pem());
    folder.put_key(&second.key.serialize_pem());
    Reload::of(vec![listener.clone()]).look(true);
    let mut new = open().await;
    assert_eq!((serial(&old), serial(&new)), ("01".to_owned(), "02".to_owned()));
    assert!(ask(&mut old).await.ends_with("hello") && ask(&mut new).await.ends_with("hello"));

    let mut plain = TcpStream::connect(address).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = timeout(SOON, plain.read_to_end(&mut answer)).await.expect("plain text is not waited for");
    assert!(!answer.starts_with(b"HTTP/"), "and not answered in the clear");

    // A connection that has not even begun its handshake does not hold up the end, and idle ones are closed.
    let _silent = TcpStream::connect(address).await.unwrap();
    stop.send_replace(true);
    timeout(SOON, served).await.expect("the listener ends").unwrap();
    assert_eq!(timeout(SOON, old.read(&mut [0; 8])).await.expect("idle connections are closed").unwrap(), 0);
}
