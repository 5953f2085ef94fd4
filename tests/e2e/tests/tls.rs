//! TLS on every listener of a real daemon: who gets in, what changes while it runs, and what `dragoman check` says before.

use anyhow::{Context, bail, ensure};
use dragoman_e2e::devices::{self, METER, THERMOSTAT};
use dragoman_e2e::wait::{self, SOON};
use dragoman_e2e::{Admin, Daemon, http, paths, tokens};
use dragoman_simulators::{Behaviour, Device, DeviceEvent};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SerialNumber, date_time_ymd};
use rumqttc::{TlsConfiguration, Transport};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio_rustls::TlsConnector;

/// The script starts an interpreter and waits for answers.
const PATIENCE: Duration = Duration::from_secs(120);

/// An authority and a folder with what it signed.
struct Certificates {
    authority: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Certificates {
    fn new() -> anyhow::Result<Self> {
        let mut params = CertificateParams::default();
        // Issuer and subject of what it signs must differ, or OpenSSL takes that for signed by itself.
        params.distinguished_name.push(DnType::CommonName, "authority of the tests");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let made = Self { authority, folder: TempDir::new()? };
        std::fs::write(made.path("ca.pem"), made.authority.as_ref().pem())?;
        Ok(made)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Signs a certificate for `localhost` and puts it and its key where the listeners look for them.
    fn sign(&self, name: &str, serial: u8, change: impl FnOnce(&mut CertificateParams)) -> anyhow::Result<()> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(["localhost".to_owned()])?;
        params.serial_number = Some(SerialNumber::from_slice(&[serial]));
        change(&mut params);
        let certificate = params.signed_by(&key, &self.authority)?;
        std::fs::write(self.path(&format!("{name}.key")), key.serialize_pem())?;
        std::fs::write(self.path(&format!("{name}.pem")), certificate.pem())?;
        Ok(())
    }

    /// A client that trusts the authority, and shows a certificate of its own where one is wanted.
    fn client(&self, is_known: bool) -> anyhow::Result<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.as_ref().der().clone())?;
        let builder = http::secure(roots)?;
        if !is_known {
            return Ok(builder.with_no_client_auth());
        }
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(["client".to_owned()])?.signed_by(&key, &self.authority)?;
        let key_der = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        Ok(builder.with_client_auth_cert(vec![certificate.der().clone()], key_der)?)
    }

    /// Certificate and key of a listener, as TOML.
    fn keys(&self) -> String {
        format!("certificate_file = {:?}\nkey_file = {:?}\n", self.path("a.pem"), self.path("a.key"))
    }
}

/// The certificate that a listener shows now, in DER.
async fn shown(certificates: &Certificates, address: &str) -> anyhow::Result<Vec<u8>> {
    let connector = TlsConnector::from(Arc::new(certificates.client(true)?));
    let stream = TcpStream::connect(address).await?;
    let stream = connector.connect(ServerName::try_from("localhost")?, stream).await?;
    let (_, session) = stream.get_ref();
    let first = session.peer_certificates().and_then(<[_]>::first).context("the listener showed no certificate")?;
    Ok(first.to_vec())
}

/// What the listener will show, in DER.
fn first_of(file: &Path) -> anyhow::Result<Vec<u8>> {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;
    Ok(CertificateDer::from_pem_slice(&std::fs::read(file)?)?.to_vec())
}

/// TLS everywhere: devices and operators need a certificate, applications none, and browsers connect over WebSocket.
async fn start(certificates: &Certificates) -> anyhow::Result<(Daemon, Admin)> {
    let keys = certificates.keys();
    let mutual = format!("{keys}client_ca_file = {:?}\n", certificates.path("ca.pem"));
    let extra = format!("[mqtt.listeners.browsers]\nlisten = \"127.0.0.1:0\"\ntransport = \"websocket\"\n{keys}");
    let daemon = Daemon::start_changed(&extra, |text| {
        text.replace("[http]\n", &format!("[http]\n{keys}"))
            .replace("[mqtt]\n", &format!("[mqtt]\n{mutual}"))
            .replace("[admin]\n", &format!("[admin]\n{mutual}"))
    });
    let daemon = daemon.await?;
    let admin = Admin::over_tls(&daemon, certificates.client(true)?)?;
    for device in devices::records() {
        admin.add_device(&device).await?;
    }
    tokens::register(&admin).await?;
    Ok((daemon, admin))
}

fn port_of(address: &str) -> anyhow::Result<&str> {
    Ok(address.rsplit_once(':').context("the address has no port")?.1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_renewed_while_a_command_is_on_its_way() -> anyhow::Result<()> {
    let certificates = Certificates::new()?;
    certificates.sign("a", 1, |_| {})?;
    let (daemon, admin) = start(&certificates).await?;
    let listeners = daemon.listeners();

    let tls = TlsConfiguration::Rustls(Arc::new(certificates.client(true)?));
    let (port, firmware) = (daemon.mqtt_port()?, devices::huawei_firmware(&daemon, METER));
    let mut device =
        Device::start_over(Transport::tls_with_config(tls), "localhost", port, firmware, Behaviour::Withhold);
    devices::ready(&mut device).await?;
    let application = http::client_with(certificates.client(false)?)?;
    let url = format!("https://localhost:{}/v5/iot/project/devices/{METER}/commands", port_of(&listeners.http)?);
    let command = json!({ "service_id": "Test", "command_name": "ON_OFF", "paras": { "value": "ON" } });
    let request = application.post(url).header("x-auth-token", tokens::HUAWEI_TOKEN.1).json(&command);
    let call = tokio::spawn(http::send(request));
    devices::received(&mut device).await?;

    let old = shown(&certificates, &listeners.http).await?;
    certificates.sign("a", 2, |_| {})?;
    let new = first_of(&certificates.path("a.pem"))?;
    ensure!(old != new, "the two certificates differ");
    for address in [&listeners.http, &listeners.mqtt, &listeners.admin, &listeners.further["browsers"]] {
        wait::until("the new certificate", SOON, || async {
            Ok((shown(&certificates, address).await? == new).then_some(()))
        })
        .await?;
    }
    // What was open goes on: the device answers on its connection, the application hears it on its own.
    device.behave(Behaviour::Answer);
    let answer = tokio::time::timeout(SOON, call).await.context("the call has no answer")???;
    ensure!(answer.status == 200 && answer.json()["response"]["result_code"] == 0, "{answer:?}");
    devices::event(&mut device, |event| match event {
        DeviceEvent::Answered(_) => Some(Ok(())),
        DeviceEvent::Lost(why) => Some(Err(anyhow::anyhow!("the device lost its connection: {why}"))),
        _ => None,
    })
    .await??;

    let before = admin.metrics().await?;
    let valid_until = before.sum("dragoman_tls_certificate_not_after_seconds", &[("listener", "http")]);
    ensure!(valid_until == 67_090_118_400.0, "the metric says {valid_until}");
    std::fs::write(certificates.path("a.pem"), "half of a certificate")?;
    wait::until("the refusal of a broken file", SOON, || async {
        let failed = admin.metrics().await?.sum("dragoman_tls_reloads_total", &[("outcome", "failed")]);
        Ok((failed >= 4.0).then_some(()))
    })
    .await?;
    ensure!(shown(&certificates, &listeners.http).await? == new, "the last good certificate stays");
    ensure!(admin.get("/v1/devices").await?.status == 200, "and everything goes on");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_stay_outside_and_are_counted() -> anyhow::Result<()> {
    let certificates = Certificates::new()?;
    certificates.sign("a", 1, |_| {})?;
    let (daemon, admin) = start(&certificates).await?;
    let address = format!("https://localhost:{}", port_of(&daemon.listeners().admin)?);
    let stranger = Admin::over_tls(&daemon, certificates.client(false)?)?;
    ensure!(stranger.get("/v1/devices").await.is_err(), "the right token does not help without a certificate");
    let untrusting = Admin::over_tls(&daemon, Certificates::new()?.client(true)?)?;
    ensure!(untrusting.get("/v1/devices").await.is_err(), "a client of another authority does not go on");
    let plain = http::send(http::client()?.get(format!("http://{}/healthz", daemon.listeners().admin))).await;
    ensure!(plain.is_err(), "nothing is answered in the clear");
    for reason in ["no-certificate", "refused-by-client", "not-tls"] {
        wait::until(reason, SOON, || async {
            let labels = [("listener", "admin"), ("reason", reason)];
            Ok((admin.metrics().await?.sum("dragoman_tls_handshakes_failed_total", &labels) >= 1.0).then_some(()))
        })
        .await?;
    }

    certificates.sign("operator", 9, |_| {})?;
    let file = |name: &str| certificates.path(name).to_string_lossy().into_owned();
    let (ca, certificate, key) = (file("ca.pem"), file("operator.pem"), file("operator.key"));
    let trusted = ["device", "list", "--admin", &address, "--ca-file", &ca];
    let known = [&trusted[..], &["--certificate-file", &certificate, "--key-file", &key]].concat();
    let listed = daemon.cli(&known).await?;
    ensure!(listed.contains(METER), "{listed}");
    ensure!(daemon.cli(&trusted).await.is_err(), "the command line needs its certificate");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paho_speaks_mqtt_3_1_1_and_5_over_websocket_and_tls() -> anyhow::Result<()> {
    let certificates = Certificates::new()?;
    certificates.sign("a", 1, |_| {})?;
    let (daemon, _) = start(&certificates).await?;
    let listeners = daemon.listeners();
    let secret = devices::secret(THERMOSTAT);
    let mut command = Command::new(paths::python()?);
    command
        .arg(paths::repository().join("tests/clients/fleets_wss.py"))
        .arg(format!("https://localhost:{}", port_of(&listeners.http)?))
        .args([port_of(&listeners.further["browsers"])?, "/mqtt"])
        .arg(certificates.path("ca.pem"))
        .args([tokens::FLEETS_KEY.0, tokens::FLEETS_KEY.1, THERMOSTAT, &secret])
        .kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await.context("the script did not end")??;
    let said = [output.stdout, output.stderr].concat();
    ensure!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&said), daemon.log_tail());
    Ok(())
}

#[tokio::test]
async fn check_finds_certificates_that_cannot_serve() -> anyhow::Result<()> {
    let certificates = Certificates::new()?;
    let folder = TempDir::new()?;
    std::fs::create_dir(folder.path().join("plugins"))?;
    let file = folder.path().join("dragoman.toml");
    let any = "listen = \"127.0.0.1:0\"\n";
    std::fs::write(&file, format!("[http]\n{any}{}[mqtt]\n{any}[admin]\n{any}", certificates.keys()))?;
    let check = async || {
        let output = Command::new(paths::daemon()?).arg("check").arg("--config").arg(&file).output().await?;
        anyhow::Ok((output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned()))
    };
    certificates.sign("a", 1, |_| {})?;
    let (good, said) = check().await?;
    ensure!(good && said.contains("is valid until Sun, 01 Jan 4096"), "{said}");
    certificates.sign("a", 1, |params| {
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    })?;
    match check().await? {
        (false, said) if said.contains("whose certificate expired on Fri, 01 Jan 2021") => {}
        (good, said) => bail!("an expired certificate is found, but {good}: {said}"),
    }
    std::fs::write(certificates.path("a.key"), KeyPair::generate()?.serialize_pem())?;
    match check().await? {
        (false, said) if said.contains("is not the key of the first certificate in") => Ok(()),
        (good, said) => bail!("a key of another certificate is found, but {good}: {said}"),
    }
}
