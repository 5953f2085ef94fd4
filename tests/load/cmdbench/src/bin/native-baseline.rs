//! The floor: the same HTTP command -> MQTT -> device -> HTTP answer, with axum
//! and rumqttc, a correlation table in memory, no plugins, no policy.
//! --wal FILE adds one durable record (group commit, fdatasync) before publishing
//! and one record on completion: lazily synced, or with --syncs 2 durable too before
//! the caller is answered (what a gateway pays that never reports what it could forget).
use anyhow::Result;
use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::{StatusCode, header},
    response::IntoResponse,
    routing::{get, post},
};
use cmdbench::Gateway;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

struct Wal(mpsc::UnboundedSender<(Vec<u8>, Option<oneshot::Sender<()>>)>);

impl Wal {
    fn open(path: &str) -> Result<Wal> {
        let mut f = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
        let (tx, mut rx) = mpsc::unbounded_channel::<(Vec<u8>, Option<oneshot::Sender<()>>)>();
        std::thread::spawn(move || {
            let (mut buf, mut acks) = (Vec::new(), Vec::new());
            while let Some((rec, ack)) = rx.blocking_recv() {
                buf.clear();
                buf.extend_from_slice(&rec);
                acks.extend(ack);
                while let Ok((rec, ack)) = rx.try_recv() {
                    buf.extend_from_slice(&rec);
                    acks.extend(ack);
                }
                f.write_all(&buf).unwrap();
                if !acks.is_empty() {
                    f.sync_data().unwrap();
                    for a in acks.drain(..) {
                        let _ = a.send(());
                    }
                }
            }
        });
        Ok(Wal(tx))
    }
    async fn durable(&self, rec: Vec<u8>) {
        let (tx, rx) = oneshot::channel();
        let _ = self.0.send((rec, Some(tx)));
        let _ = rx.await;
    }
    fn lazy(&self, rec: Vec<u8>) {
        let _ = self.0.send((rec, None));
    }
}

struct App {
    gw: Arc<Gateway>,
    wal: Option<Wal>,
    answer_durably: bool,
}

async fn command(
    State(s): State<Arc<App>>,
    Path((_project, device)): Path<(String, String)>,
    body: Bytes,
) -> impl IntoResponse {
    // Parse and rebuild the payload, as any gateway must.
    let Ok(mut v) = serde_json::from_slice::<serde_json::Value>(&body) else {
        return (
            StatusCode::BAD_REQUEST,
            [(header::CONTENT_TYPE, "application/json")],
            "{\"error_code\":\"IOTDA.000006\"}".to_string(),
        );
    };
    v["object_device_id"] = serde_json::Value::String(device.clone());
    let payload = serde_json::to_vec(&v).unwrap();
    if let Some(w) = &s.wal {
        w.durable(payload.clone()).await;
    }
    match s.gw.call(&device, payload, Duration::from_secs(20)).await {
        Some((id, b)) => {
            if let Some(w) = &s.wal {
                if s.answer_durably { w.durable(b.to_vec()).await } else { w.lazy(b.to_vec()) }
            }
            match serde_json::from_slice::<serde_json::Value>(&b) {
                Ok(r) => (
                    StatusCode::OK,
                    [(header::CONTENT_TYPE, "application/json")],
                    serde_json::json!({"command_id": format!("{id:016x}"), "response": r}).to_string(),
                ),
                Err(_) => (StatusCode::BAD_GATEWAY, [(header::CONTENT_TYPE, "application/json")], "{}".to_string()),
            }
        }
        None => (
            StatusCode::GATEWAY_TIMEOUT,
            [(header::CONTENT_TYPE, "application/json")],
            "{\"error_code\":\"IOTDA.014016\"}".to_string(),
        ),
    }
}

fn main() -> Result<()> {
    use lexopt::prelude::*;
    let (mut host, mut port, mut http, mut conns, mut q, mut nodelay, mut workers, mut wal, mut syncs) =
        ("127.0.0.1".to_string(), 28830u16, 18080u16, 1usize, 0u8, true, 2usize, None::<String>, 1u8);
    let mut p = lexopt::Parser::from_env();
    while let Some(a) = p.next()? {
        match a {
            Long("host") => host = p.value()?.string()?,
            Long("port") => port = p.value()?.parse()?,
            Long("http") => http = p.value()?.parse()?,
            Long("mqtt-conns") => conns = p.value()?.parse()?,
            Long("qos") => q = p.value()?.parse()?,
            Long("nodelay") => nodelay = p.value()?.parse()?,
            Long("workers") => workers = p.value()?.parse()?,
            Long("wal") => wal = Some(p.value()?.string()?),
            Long("syncs") => syncs = p.value()?.parse()?,
            _ => return Err(a.unexpected().into()),
        }
    }
    let rt = if workers == 0 {
        tokio::runtime::Builder::new_current_thread().enable_all().build()?
    } else {
        tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build()?
    };
    rt.block_on(async move {
        let gw = Gateway::start(&host, port, conns, q, nodelay, "native").await;
        let wal = wal.map(|w| Wal::open(&w)).transpose()?;
        let app = Router::new()
            .route("/healthz", get(|| async { "ok" }))
            .route("/v5/iot/{project}/devices/{device}/commands", post(command))
            .with_state(Arc::new(App { gw, wal, answer_durably: syncs > 1 }));
        let l = tokio::net::TcpListener::bind(("127.0.0.1", http)).await?;
        use axum::serve::ListenerExt;
        let l = l.tap_io(|s| {
            let _ = s.set_nodelay(true);
        });
        axum::serve(l, app).await?;
        Ok(())
    })
}
