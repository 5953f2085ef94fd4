//! TLS to the broker: whom the gateway trusts, and how it shows who it is.

use crate::ears::connect;
use crate::fake::{Fake, Peer, limits, message, publish, settled};
use dragoman_mqtt::{ExternalOptions, Link, Published, TlsOptions};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rumqttc::v5::mqttbytes::v5::PubAckReason;
use rustls::RootCertStore;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate and its key, in PEM.
fn signed_by(authority: &Authority, name: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, authority).unwrap();
    (certificate.pem(), key.serialize_pem())
}

/// A broker at `localhost` that asks for certificates of the same authority.
fn acceptor(authority: &Authority) -> TlsAcceptor {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(authority.as_ref().der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

async fn accept(fake: &Fake, acceptor: &TlsAcceptor) -> std::io::Result<TlsStream<TcpStream>> {
    acceptor.accept(fake.socket().await).await
}

/// Writes what the gateway trusts and shows.
fn options(fake: &Fake, folder: &Path, trusted: &Authority, identity: Option<(String, String)>) -> ExternalOptions {
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let ca_file = Some(file("ca.pem", &trusted.as_ref().pem()));
    let identity = identity.map(|(certificate, key)| (file("gateway.pem", &certificate), file("gateway.key", &key)));
    ExternalOptions { host: "localhost".into(), tls: Some(TlsOptions { ca_file, identity }), ..fake.options() }
}

#[tokio::test]
async fn both_ends_show_who_they_are() {
    let (fake, folder, authority) = (Fake::start().await, TempDir::new().unwrap(), authority());
    let identity = signed_by(&authority, "gateway");
    let (connection, _ears) = connect(options(&fake, folder.path(), &authority, Some(identity)));
    let acceptor = acceptor(&authority);
    let mut peer = Peer::of(accept(&fake, &acceptor).await.unwrap()).await;
    peer.welcome(false, limits(10)).await;
    peer.subscribed().await;
    let verdict = publish(&connection, message("m"));
    let sent = peer.publish().await;
    peer.ack(sent.pkid, PubAckReason::Success).await;
    assert_eq!(settled(verdict).await, Published::Taken);
}

#[tokio::test]
async fn a_broker_of_another_authority_is_not_spoken_to() {
    let (fake, folder, ours, theirs) = (Fake::start().await, TempDir::new().unwrap(), authority(), authority());
    let (connection, _ears) = connect(options(&fake, folder.path(), &ours, None));
    assert!(accept(&fake, &acceptor(&theirs)).await.is_err());
    connection.until(|link| matches!(link, Link::Down(why) if why.contains("no TLS connection"))).await;
}

#[tokio::test]
async fn a_certificate_that_is_renewed_counts_for_the_next_connection() {
    let (fake, folder, authority) = (Fake::start().await, TempDir::new().unwrap(), self::authority());
    let stranger = signed_by(&self::authority(), "gateway");
    let (connection, _ears) = connect(options(&fake, folder.path(), &authority, Some(stranger)));
    let acceptor = acceptor(&authority);
    assert!(accept(&fake, &acceptor).await.is_err(), "the broker does not trust its authority");
    connection.until(|link| matches!(link, Link::Down(_))).await;
    options(&fake, folder.path(), &authority, Some(signed_by(&authority, "gateway")));
    // One connection may have been begun with the old files.
    let stream = loop {
        if let Ok(stream) = accept(&fake, &acceptor).await {
            break stream;
        }
    };
    let mut peer = Peer::of(stream).await;
    peer.welcome(false, limits(10)).await;
    peer.subscribed().await;
    connection.until(|link| matches!(link, Link::Up { .. })).await;
}

#[tokio::test]
async fn files_that_cannot_be_used_are_named() {
    let (fake, folder, authority) = (Fake::start().await, TempDir::new().unwrap(), authority());
    let (certificate, _) = signed_by(&authority, "gateway");
    let (_, other_key) = signed_by(&authority, "gateway");
    let good = signed_by(&authority, "gateway");
    let check = |identity| options(&fake, folder.path(), &authority, Some(identity)).check();
    assert_eq!(check(good), Ok(()));
    for (identity, expected) in [
        ((certificate.clone(), other_key), "do not go together"),
        ((certificate, "no key".to_owned()), "gateway.key holds no usable key"),
        (("no certificate".to_owned(), String::new()), "gateway.pem holds no usable certificate"),
    ] {
        let error = check(identity).unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}: {error}");
    }
}
