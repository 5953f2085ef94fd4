//! Load generator. Prints one JSON object.
//!   --mode http  POST /v5/iot/p/devices/dev-{n}/commands over keep-alive HTTP/1.1
//!   --mode mqtt  the same exchange straight over MQTT (what broker and devices alone can do)
//!   closed loop: --conns C ; open loop: also --rate R (latency from the due time, so a
//!   stall is charged to every call it delayed)
//! Every answer is checked: HTTP 200 and the value this very call sent, also before and after the time that is measured.
//! `per_s` are the answers within the time that is measured. Latencies are of the same answers in a closed loop; in an
//! open one of every call that was due within that time, also where its answer came later: `due` and `due_answered`.
//! `answered` are all calls of the run, so that what a gateway counts of itself can be divided by it; `io` counts calls
//! that broke off or had no answer within `CALL_WITHIN`, `missing` callers that never came back.
use anyhow::{Context, Result, bail};
use cmdbench::Gateway;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long a call may take. A gateway answers within 20 s, if only that it had no answer.
const CALL_WITHIN: Duration = Duration::from_secs(25);
/// How long after the time that is measured the open loop may still begin calls that were due in it. With those that it
/// never begins the latencies are too low, which `due_answered` shows.
const BACKLOG_WITHIN: Duration = Duration::from_secs(10);

#[derive(Default)]
struct Tally {
    ok: AtomicU64,
    due_answered: AtomicU64,
    answered: AtomicU64,
    bad_status: AtomicU64,
    mismatch: AtomicU64,
    io: AtomicU64,
    bad_bodies: Mutex<Vec<String>>,
}

fn cpu_ticks(pid: u32) -> Result<u64> {
    let s = std::fs::read_to_string(format!("/proc/{pid}/stat")).with_context(|| format!("process {pid} is gone"))?;
    let (_, rest) = s.rsplit_once(')').context("/proc/PID/stat")?;
    let f: Vec<&str> = rest.split_whitespace().collect();
    let field = |i: usize| f.get(i).and_then(|a| a.parse::<u64>().ok()).context("/proc/PID/stat");
    Ok(field(11)? + field(12)?)
}
fn rss_kib(pid: u32) -> u64 {
    std::fs::read_to_string(format!("/proc/{pid}/status"))
        .ok()
        .and_then(|s| {
            s.lines().find(|l| l.starts_with("VmRSS:")).and_then(|l| l.split_whitespace().nth(1)?.parse().ok())
        })
        .unwrap_or(0)
}

/// One HTTP exchange on a kept-alive connection. Understands Content-Length and chunked.
async fn exchange(s: &mut TcpStream, buf: &mut Vec<u8>, req: &[u8]) -> Result<(u16, Vec<u8>)> {
    s.write_all(req).await?;
    buf.clear();
    let head = loop {
        if let Some(i) = buf.windows(4).position(|w| w == b"\r\n\r\n") {
            break i + 4;
        }
        if s.read_buf(buf).await? == 0 {
            bail!("closed");
        }
    };
    let h = std::str::from_utf8(&buf[..head])?.to_ascii_lowercase();
    let status: u16 = h.split_whitespace().nth(1).unwrap_or("0").parse()?;
    if let Some(n) = h.lines().find_map(|l| l.strip_prefix("content-length:")) {
        let n: usize = n.trim().parse()?;
        while buf.len() < head + n {
            if s.read_buf(buf).await? == 0 {
                bail!("closed");
            }
        }
        return Ok((status, buf[head..head + n].to_vec()));
    }
    if h.contains("transfer-encoding: chunked") {
        let (mut at, mut out) = (head, vec![]);
        loop {
            let eol = loop {
                if let Some(i) = buf[at..].windows(2).position(|w| w == b"\r\n") {
                    break at + i;
                }
                if s.read_buf(buf).await? == 0 {
                    bail!("closed");
                }
            };
            let n = usize::from_str_radix(std::str::from_utf8(&buf[at..eol])?.trim(), 16)?;
            while buf.len() < eol + 2 + n + 2 {
                if s.read_buf(buf).await? == 0 {
                    bail!("closed");
                }
            }
            if n == 0 {
                return Ok((status, out));
            }
            out.extend_from_slice(&buf[eol + 2..eol + 2 + n]);
            at = eol + 2 + n + 2;
        }
    }
    Ok((status, vec![]))
}

fn answer_value(mode_http: bool, body: &[u8]) -> Option<u64> {
    let v: serde_json::Value = serde_json::from_slice(body).ok()?;
    if mode_http { v["response"]["paras"]["value"].as_u64() } else { v["paras"]["value"].as_u64() }
}

struct Shared {
    t: Tally,
    recording: AtomicBool,
    stop: AtomicBool,
    seq: AtomicU64,
    slot: AtomicU64,
    start: Instant,
    warm: Duration,
    secs: Duration,
    rate: Option<f64>,
    devices: u64,
    hist: Mutex<Histogram<u64>>,
}

impl Shared {
    /// Begin and end of the time that is measured.
    fn window(&self) -> std::ops::Range<Instant> {
        let begin = self.start + self.warm;
        begin..begin + self.secs
    }

    /// When the next call is due; None when the run is over. In the open loop it is not over before every call began
    /// that was due, however late.
    async fn due(&self) -> Option<Instant> {
        let Some(rate) = self.rate else {
            return (!self.stop.load(Relaxed)).then(Instant::now);
        };
        let n = self.slot.fetch_add(1, Relaxed);
        let at = self.start + Duration::from_secs_f64(n as f64 / rate);
        let window = self.window();
        if at >= window.end {
            return None;
        }
        if at > Instant::now() {
            tokio::time::sleep_until(at.into()).await;
        }
        (Instant::now() < window.end + BACKLOG_WITHIN).then_some(at)
    }

    fn answered_well(&self, due: Instant) {
        let recording = self.recording.load(Relaxed);
        if recording {
            self.t.ok.fetch_add(1, Relaxed);
        }
        let counts = if self.rate.is_some() { self.window().contains(&due) } else { recording };
        if counts {
            self.t.due_answered.fetch_add(1, Relaxed);
            let _ = self.hist.lock().unwrap().record(due.elapsed().as_nanos() as u64 / 1000);
        }
    }
}

/// Everything that one caller needs for a call.
struct Caller {
    shared: Arc<Shared>,
    target: String,
    header: String,
    gateway: Option<Arc<Gateway>>,
    sock: Option<TcpStream>,
    buf: Vec<u8>,
}

impl Caller {
    async fn run(mut self) {
        let sh = Arc::clone(&self.shared);
        while let Some(due) = sh.due().await {
            let n = sh.seq.fetch_add(1, Relaxed);
            let res = match tokio::time::timeout(CALL_WITHIN, self.call(n)).await {
                Ok(res) => res,
                Err(_) => Err(anyhow::anyhow!("no answer within {} s", CALL_WITHIN.as_secs())),
            };
            if res.is_ok() {
                sh.t.answered.fetch_add(1, Relaxed);
            }
            match res {
                Ok((200, b)) if answer_value(self.gateway.is_none(), &b) == Some(n) => sh.answered_well(due),
                Ok((st, b)) => {
                    if st == 200 { &sh.t.mismatch } else { &sh.t.bad_status }.fetch_add(1, Relaxed);
                    sh.t.sample(format!("{st} {}", String::from_utf8_lossy(&b[..b.len().min(200)])));
                }
                Err(err) => {
                    self.sock = None;
                    sh.t.io.fetch_add(1, Relaxed);
                    sh.t.sample(format!("{err:#}"));
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    async fn call(&mut self, n: u64) -> Result<(u16, Vec<u8>)> {
        let dev = n % self.shared.devices;
        let body = format!("{{\"service_id\":\"WaterMeter\",\"command_name\":\"ON_OFF\",\"paras\":{{\"value\":{n}}}}}");
        if let Some(gateway) = &self.gateway {
            let called = gateway.call(&format!("dev-{dev}"), body.into_bytes(), Duration::from_secs(20)).await;
            return Ok(called.map_or((504, vec![]), |(_, b)| (200, b.to_vec())));
        }
        let sock = match &mut self.sock {
            Some(sock) => sock,
            none => {
                let sock = TcpStream::connect(&self.target).await.context("connecting")?;
                sock.set_nodelay(true)?;
                none.insert(sock)
            }
        };
        let (header, length) = (&self.header, body.len());
        let head = format!("POST /v5/iot/p/devices/dev-{dev}/commands HTTP/1.1\r\nhost: bench\r\n{header}");
        let req = format!("{head}content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}");
        exchange(sock, &mut self.buf, req.as_bytes()).await
    }
}

impl Tally {
    /// Keeps the first few, so that whoever looks knows what went wrong.
    fn sample(&self, text: String) {
        let mut samples = self.bad_bodies.lock().unwrap();
        if samples.len() < 3 {
            samples.push(text);
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    use lexopt::prelude::*;
    let (mut mode, mut target, mut conns, mut secs, mut warm, mut rate, mut devices, mut q, mut bport) =
        ("http".to_string(), "127.0.0.1:18080".to_string(), 64usize, 10.0f64, 2.0f64, None, 64u64, 0u8, 28830u16);
    let mut header = String::new();
    let mut pids: Vec<(String, u32)> = vec![];
    let mut p = lexopt::Parser::from_env();
    while let Some(a) = p.next()? {
        match a {
            Long("mode") => mode = p.value()?.string()?,
            Long("target") => target = p.value()?.string()?,
            Long("conns") => conns = p.value()?.parse()?,
            Long("secs") => secs = p.value()?.parse()?,
            Long("warm") => warm = p.value()?.parse()?,
            Long("rate") => rate = Some(p.value()?.parse()?),
            Long("devices") => devices = p.value()?.parse()?,
            Long("qos") => q = p.value()?.parse()?,
            Long("broker-port") => bport = p.value()?.parse()?,
            Long("header") => {
                header.push_str(&p.value()?.string()?);
                header.push_str("\r\n");
            }
            Long("pid") => {
                let v = p.value()?.string()?;
                let (n, i) = v.split_once('=').unwrap();
                pids.push((n.into(), i.parse()?));
            }
            _ => return Err(a.unexpected().into()),
        }
    }
    let http = mode == "http";
    let gw = if http { None } else { Some(Gateway::start("127.0.0.1", bport, 1, q, true, "loadgen").await) };
    let sh = Arc::new(Shared {
        t: Tally::default(),
        recording: AtomicBool::new(false),
        stop: AtomicBool::new(false),
        seq: AtomicU64::new(1),
        slot: AtomicU64::new(0),
        start: Instant::now(),
        warm: Duration::from_secs_f64(warm),
        secs: Duration::from_secs_f64(secs),
        rate,
        devices,
        hist: Mutex::new(Histogram::new(3)?),
    });
    let mut tasks = vec![];
    for _ in 0..conns {
        let (shared, target, gateway, header) = (sh.clone(), target.clone(), gw.clone(), header.clone());
        let caller = Caller { shared, target, header, gateway, sock: None, buf: Vec::with_capacity(4096) };
        tasks.push(tokio::spawn(caller.run()));
    }
    tokio::time::sleep_until(sh.window().start.into()).await;
    let c0 = pids.iter().map(|(_, p)| cpu_ticks(*p)).collect::<Result<Vec<u64>>>()?;
    let me0 = cpu_ticks(std::process::id())?;
    let t0 = Instant::now();
    sh.recording.store(true, Relaxed);
    tokio::time::sleep_until(sh.window().end.into()).await;
    sh.recording.store(false, Relaxed);
    let el = t0.elapsed().as_secs_f64();
    let mut cpu = BTreeMap::new();
    let ok = sh.t.ok.load(Relaxed);
    let per = |t: u64| (t as f64 * 10_000.0 / ok.max(1) as f64 * 10.0).round() / 10.0; // a tick is 10 ms
    let mut rss = BTreeMap::new();
    for ((n, p), c) in pids.iter().zip(&c0) {
        cpu.insert(n.clone(), per(cpu_ticks(*p)?.saturating_sub(*c)));
        rss.insert(n.clone(), rss_kib(*p));
    }
    cpu.insert("loadgen".into(), per(cpu_ticks(std::process::id())?.saturating_sub(me0)));
    sh.stop.store(true, Relaxed);
    // Every call ends by itself before this, so nobody is missing but by a fault of this program.
    let end = Instant::now() + BACKLOG_WITHIN + CALL_WITHIN + Duration::from_secs(5);
    let mut missing = 0;
    for t in tasks {
        match tokio::time::timeout_at(end.into(), t).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => missing += 1,
        }
    }
    let h = sh.hist.lock().unwrap();
    let slots_until = |at: Duration| rate.map(|rate: f64| (at.as_secs_f64() * rate).ceil() as u64);
    let due = slots_until(sh.warm + sh.secs).zip(slots_until(sh.warm)).map(|(end, begin)| end - begin);
    println!(
        "{}",
        serde_json::json!({
            "mode": mode, "conns": conns, "rate": rate, "secs": (el * 100.0).round() / 100.0, "ok": ok, "answered": sh.t.answered.load(Relaxed),
            "per_s": (ok as f64 / el).round(),
            "us": { "p50": h.value_at_quantile(0.5), "p90": h.value_at_quantile(0.9), "p99": h.value_at_quantile(0.99), "p999": h.value_at_quantile(0.999), "max": h.max() },
            "bad_status": sh.t.bad_status.load(Relaxed), "mismatch": sh.t.mismatch.load(Relaxed), "io": sh.t.io.load(Relaxed), "missing": missing,
            "due": due, "due_answered": sh.t.due_answered.load(Relaxed),
            "cpu_us_per_command": cpu, "rss_kib": rss, "bad_samples": *sh.t.bad_bodies.lock().unwrap(),
        })
    );
    Ok(())
}
