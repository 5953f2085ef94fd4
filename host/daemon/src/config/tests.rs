//! What the file accepts, what it refuses, and in which words.

use super::{Config, Durability, Instances, LogFormat, PluginConfig, TargetConfig, TlsFiles, TokenSource};
use dragoman_wasm::{Grants, Interface};
use std::path::{Path, PathBuf};

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(Path::new("/etc/dragoman/dragoman.toml"), text).map_err(|error| error.to_string())
}

fn refused(text: &str, problem: &str) {
    let expected = format!("/etc/dragoman/dragoman.toml:{problem}");
    assert_eq!(parse(text).expect_err(text), expected, "for:\n{text}");
}

#[test]
fn an_empty_file_is_the_defaults_next_to_it() {
    let defaults = Config::defaults(Path::new("/etc/dragoman"));
    let file = Some(PathBuf::from("/etc/dragoman/dragoman.toml"));
    assert_eq!(parse(""), Ok(Config { file, ..defaults.clone() }));
    assert_eq!(defaults.data_dir, Path::new("/etc/dragoman/data"));
    assert_eq!(defaults.plugins.folder, Path::new("/etc/dragoman/plugins"));
    assert_eq!(defaults.admin.token, TokenSource::Made("/etc/dragoman/data/admin.token".into()));
}

#[test]
fn every_key_is_read() {
    let config = parse(
        r#"
        data_dir = "/var/lib/dragoman"
        [http]
        listen = "0.0.0.0:80"
        body_max_bytes = 1_024
        headers_max = 8
        connections_max = 1
        shutdown_grace_ms = 0
        [mqtt]
        listen = "[::1]:0"
        dialects = []
        packet_max_bytes = 16777216
        connections_max = 1000000
        subscriptions_max = 10000
        [admin]
        listen = "0.0.0.0:9000"
        allow_remote = true
        token_env = "ADMIN_TOKEN"
        [plugins]
        folder = "../wasm"
        instances_max = 2
        instances_per_plugin_max = 1
        file_max_bytes = 1024
        memory_max_bytes = 0x10000
        deadline_ms = 60000
        log_bytes_max = 0
        writes_max_bytes = 1024
        host_calls_max = 1
        compile_ms = 1000
        compile_memory_max_bytes = 67_108_864
        older_versions_max = 1
        quarantine_faults = 0
        quarantine_window_ms = 1
        quarantine_backoff_ms = 7
        quarantine_backoff_max_ms = 8
        dead_letters_max = 0
        dead_letters_max_bytes = 1024
        grants = ["devices", "asks"]
        [plugin.globex-units]
        instances = "pool"
        recycle_after_calls = 7
        recycle_after_bytes = 65_536
        [plugin.lamp]
        grants = []
        settings = { project = "p1", since = 2026-11-21, nested = { list = [1, 2.5, true] } }
        [store]
        durability = "relaxed"
        retention_days = 2
        [limits]
        open_max = 1
        open_per_device_max = 2
        http_waiting_max = 3
        idempotency_hours = 48
        [log]
        format = "json"
        filter = "warn,dragoman=debug"
        "#,
    )
    .unwrap();
    assert_eq!(config.data_dir, Path::new("/var/lib/dragoman"));
    assert_eq!((config.http.listen.to_string().as_str(), config.http.body_max_bytes), ("0.0.0.0:80", 1_024));
    assert_eq!((config.http.headers_max, config.http.connections_max, config.http.shutdown_grace_ms), (8, 1, 0));
    assert_eq!((config.mqtt.listen.to_string().as_str(), config.mqtt.dialects.len()), ("[::1]:0", 0));
    assert_eq!((config.mqtt.packet_max_bytes, config.mqtt.connections_max), (16_777_216, 1_000_000));
    assert_eq!(config.mqtt.subscriptions_max, 10_000);
    assert_eq!(config.admin.listen.port(), 9000);
    assert_eq!(config.admin.token, TokenSource::Env("ADMIN_TOKEN".into()));
    assert_eq!(config.plugins.folder, Path::new("/etc/dragoman/../wasm"));
    assert_eq!((config.plugins.instances_max, config.plugins.memory_max_bytes), (2, 65_536));
    assert_eq!(
        (config.plugins.log_bytes_max, config.plugins.writes_max_bytes, config.plugins.host_calls_max),
        (0, 1_024, 1)
    );
    assert_eq!((config.plugins.compile_ms, config.plugins.compile_memory_max_bytes), (1000, 67_108_864));
    assert_eq!((config.plugins.older_versions_max, config.plugins.instances_per_plugin_max), (1, 1));
    assert_eq!(config.plugins.file_max_bytes, 1024);
    let globex = &config.named_plugins["globex-units"];
    assert_eq!(globex.instances, Instances::Pool { size: 2, recycle_after_calls: 7, recycle_after_bytes: 65_536 });
    let lamp = &config.named_plugins["lamp"];
    assert_eq!(lamp.instances, Instances::Fresh);
    let plugins = &config.plugins;
    let quarantine = (plugins.quarantine_faults, plugins.quarantine_window_ms);
    assert_eq!((quarantine, plugins.quarantine_backoff_ms, plugins.quarantine_backoff_max_ms), ((0, 1), 7, 8));
    assert_eq!((plugins.dead_letters_max, plugins.dead_letters_max_bytes), (0, 1024));
    assert_eq!(plugins.grants, [Interface::Devices, Interface::Asks].into());
    assert_eq!((globex.grants.clone(), lamp.grants.clone()), (None, Some(Grants::new())));
    let settings = serde_json::json!({"project": "p1", "since": "2026-11-21", "nested": {"list": [1, 2.5, true]}});
    assert_eq!(serde_json::Value::from(lamp.settings.clone()), settings);
    assert_eq!((config.plugins.deadline_ms, config.named_plugins.len()), (60_000, 2));
    assert_eq!((config.store.durability, config.store.retention_days), (Durability::Relaxed, 2));
    assert_eq!((config.limits.open_max, config.limits.open_per_device_max), (1, 2));
    assert_eq!((config.limits.http_waiting_max, config.limits.idempotency_hours), (3, 48));
    assert_eq!((config.log.format, config.log.filter.as_str()), (LogFormat::Json, "warn,dragoman=debug"));
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_known_one() {
    refused("data_dri = 'x'", "1: unknown key data_dri; did you mean data_dir?");
    refused("[http]\nlisten = '127.0.0.1:1'\nlistn = 1\n", "3: unknown key http.listn; did you mean http.listen?");
    refused("\n\n[htp]\nlisten = ''\n", "3: unknown key htp; did you mean http?");
    refused("[admin]\ntoken = 'x'", "2: unknown key admin.token; did you mean admin.token_env?");
    refused("[store]\nshards = 4", "2: unknown key store.shards; known are durability, retention_days");
    refused("[plugin.lamp]\npool = 5", "2: unknown key plugin.lamp.pool; did you mean plugin.lamp.pool_size?");
    refused("log.colour = true", "1: unknown key log.colour; known are format, filter");
    refused(
        "[http]\nzz = 1\naa = 2",
        "2: unknown key http.zz; known are listen, certificate_file, key_file, client_ca_file, body_max_bytes, \
         headers_max, connections_max, shutdown_grace_ms",
    );
}

#[test]
fn a_value_that_does_not_fit_is_refused_with_what_is_allowed() {
    refused("http = 1", "1: http is 1 (an integer); expected a table, as in [http]");
    refused("[[http]]\nlisten = ''", "1: http is a list; expected a table, as in [http]");
    refused(
        "[http]\nheaders_max = 'many'",
        "2: http.headers_max is \"many\" (a text); expected an integer from 8 to 1024",
    );
    refused("[http]\nheaders_max = 8.5", "2: http.headers_max is 8.5 (a fraction); expected an integer from 8 to 1024");
    refused("[http]\nheaders_max = 7", "2: http.headers_max is 7; allowed are 8 to 1024");
    refused("[http]\nheaders_max = -1", "2: http.headers_max is -1; allowed are 8 to 1024");
    refused(
        "[store]\nretention_days = 99999999999999999999",
        "2: store.retention_days is 99999999999999999999; allowed are 1 to 3650",
    );
    refused("[limits]\nidempotency_hours = 23", "2: limits.idempotency_hours is 23; allowed are 24 to 8760");
    refused("data_dir = 5", "1: data_dir is 5 (an integer); expected a text in quotes");
    refused("data_dir = ' '", "1: data_dir is empty; remove it or fill it in");
    refused(
        "[http]\nlisten = 'localhost'",
        "2: http.listen is \"localhost\"; expected an address and a port, such as \"127.0.0.1:8080\"",
    );
    refused("[admin]\nallow_remote = 'yes'", "2: admin.allow_remote is \"yes\" (a text); expected true or false");
    refused("[store]\ndurability = 'none'", "2: store.durability is \"none\"; expected \"committed\" or \"relaxed\"");
    refused("[log]\nformat = 2026-11-21", "2: log.format is 2026-11-21 (a date); expected a text in quotes");
    refused(
        "[log]\nfilter = 'a=b=c'",
        "2: log.filter is \"a=b=c\"; expected a level (error, warn, info, debug, trace) or levels per target, such as \
         \"info,dragoman=debug\"",
    );
    refused(
        "[mqtt]\ndialects = 'globex-units'",
        "2: mqtt.dialects is \"globex-units\" (a text); expected a list of texts in brackets",
    );
    refused(
        "[mqtt]\ndialects = ['globex-units', 'Initech']",
        "2: mqtt.dialects[1] is \"Initech\" (a text); expected the name of a plugin, such as \"my-dialect\"",
    );
    refused("[mqtt]\ndialects = ['a',\n 'a']", "3: mqtt.dialects[1] is \"a\" a second time; name it once");
    refused(
        "[plugin.lamp]\nsettings = 1",
        "2: plugin.lamp.settings is 1 (an integer); expected a table, as in [plugin.lamp.settings]",
    );
    refused(
        "[plugin.lamp.settings]\nx = [nan]",
        "2: plugin.lamp.settings.x[0] is nan, a number that JSON cannot carry",
    );
    let deep = format!("[plugin.lamp.settings]\nx = {}{}", "[".repeat(40), "]".repeat(40));
    refused(
        &deep,
        &format!(
            "2: plugin.lamp.settings.x{} is nested deeper than 32 levels, the limit of settings",
            "[0]".repeat(32)
        ),
    );
    refused(
        "[plugin.Lamp]",
        "1: plugin.Lamp names no plugin: names are lower-case letters, digits and hyphens, at most 64, and begin with a letter",
    );
    refused("[http\nlisten = 1", "1: this is not TOML: unclosed table, expected `]`");
}

#[test]
fn values_that_contradict_each_other_are_refused() {
    refused(
        "[admin]\nlisten = '0.0.0.0:8081'",
        "2: admin.listen is \"0.0.0.0:8081\", which other machines may reach: whoever has the token commands every \
         device; use a loopback address, or set admin.allow_remote = true",
    );
    refused(
        "[admin]\ntoken_env = 'A'\ntoken_file = 'b'",
        "3: admin.token_file and admin.token_env are both set; keep one of them",
    );
    refused(
        "[plugin.lamp]\npool_size = 2",
        "2: plugin.lamp.pool_size means nothing without plugin.lamp.instances = \"pool\"",
    );
    refused(
        "[plugin.lamp]\ninstances = 'pool'\npool_size = 65",
        "3: plugin.lamp.pool_size is 65, more than plugins.instances_max, which is 64",
    );
    refused(
        "[plugin.lamp]\nrecycle_after_bytes = 65_536",
        "2: plugin.lamp.recycle_after_bytes means nothing without plugin.lamp.instances = \"pool\"",
    );
    refused(
        "[plugins]\nquarantine_backoff_ms = 9\nquarantine_backoff_max_ms = 8",
        "3: plugins.quarantine_backoff_max_ms is 8, less than plugins.quarantine_backoff_ms, which is 9",
    );
    refused(
        "[plugin.lamp]\ngrants = ['devices', 'host']",
        "2: plugin.lamp.grants[1] is \"host\" (a text); expected one of \"devices\", \"executions\", \"documents\", \"sessions\", \
         \"outbox\", \"events\", \"credentials\", \"asks\"",
    );
    refused(
        "[limits]\nidempotency_hours = 721",
        "2: limits.idempotency_hours is 721, longer than store.retention_days, which is 30: what was pruned is not \
         remembered",
    );
    refused(
        "[http]\nlisten = '127.0.0.1:1883'",
        "2: http.listen is \"127.0.0.1:1883\", which mqtt.listen takes; choose another port",
    );
    refused(
        "[mqtt]\nlisten = '127.0.0.1:8081'",
        "2: mqtt.listen is \"127.0.0.1:8081\", which admin.listen takes; choose another port",
    );
    let any_port = "[http]\nlisten='127.0.0.1:0'\n[mqtt]\nlisten='127.0.0.1:0'\n[admin]\nlisten='127.0.0.1:0'";
    assert!(parse(any_port).is_ok());
}

#[test]
fn a_target_is_read_with_its_defaults_and_its_own() {
    let config = parse(
        r#"
        [targets.alarms]
        url = "https://Hooks.example:8443/a/b/"
        [targets.reports]
        url = "http://127.0.0.1:9"
        timeout_ms = 100
        in_flight_max = 1
        waiting_max = 2
        waiting_max_bytes = 1_024
        given_up_max = 0
        tries_max = 1
        backoff_ms = 5
        backoff_max_ms = 5
        headers = { X-Tenant = "acme", accept = "application/json" }
        authorization_file = "reports.secret"
        "#,
    )
    .unwrap();
    let alarms = TargetConfig::at("https://Hooks.example:8443/a/b");
    assert_eq!(config.targets["alarms"], alarms);
    let expected = TargetConfig {
        timeout_ms: 100,
        in_flight_max: 1,
        waiting_max: 2,
        waiting_max_bytes: 1_024,
        given_up_max: 0,
        tries_max: 1,
        backoff_ms: 5,
        backoff_max_ms: 5,
        headers: vec![
            ("accept".parse().unwrap(), "application/json".parse().unwrap()),
            ("x-tenant".parse().unwrap(), "acme".parse().unwrap()),
        ],
        authorization_file: Some("/etc/dragoman/reports.secret".into()),
        ..TargetConfig::at("http://127.0.0.1:9")
    };
    let mut reports = config.targets["reports"].clone();
    reports.headers.sort_by(|a, b| a.0.as_str().cmp(b.0.as_str()));
    assert_eq!(reports, expected);
    assert!(!format!("{config:?}").contains("acme"), "values of headers may be secrets");
}

#[test]
fn a_target_that_cannot_be_used_is_refused() {
    let at = |url: &str| format!("[targets.a]\nurl = '{url}'");
    refused(
        "[targets.a]\ntries_max = 1",
        "2: targets.a.url is missing; set the address, such as \"https://example.org/hook\"",
    );
    refused("[targets.a]", "1: targets.a.url is missing; set the address, such as \"https://example.org/hook\"");
    for url in ["example.org", "/hook", "ftp://example.org", "https://", "https://exa mple.org", "https:example.org"] {
        refused(&at(url), "2: targets.a.url is no address; expected one such as \"https://example.org/hook\"");
    }
    for url in ["https://example.org?key=secret", "https://example.org/#a"] {
        refused(&at(url), "2: targets.a.url has a query or fragment; leave it out, plugins add path and query to it");
    }
    refused(
        &at("https://user:secret@example.org"),
        "2: targets.a.url has a user name or password inside; put the value of the authorization header into a file \
         and name it with authorization_file",
    );
    refused(
        "[targets.A_b]\nurl = 'http://a'",
        "1: targets.A_b names no target: names are lower-case letters, digits and hyphens, at most 64, and begin with \
         a letter",
    );
    let with = |line: &str| format!("[targets.a]\nurl = 'http://a'\n{line}");
    refused(&with("tries = 3"), "3: unknown key targets.a.tries; did you mean targets.a.tries_max?");
    refused(&with("in_flight_max = 0"), "3: targets.a.in_flight_max is 0; allowed are 1 to 1000");
    refused(&with("backoff_max_ms = 999"), "3: targets.a.backoff_max_ms is 999, less than backoff_ms, which is 1000");
    refused(&with("ca_file = 'ca.pem'"), "3: targets.a.ca_file means nothing for a url that begins with http://");
    refused(
        &with("headers.Authorization = 'Bearer x'"),
        "3: targets.a.headers.Authorization is a secret; put its value into a file and name that with authorization_file",
    );
    refused(
        &with("headers.Content-Length = '1'"),
        "3: targets.a.headers.Content-Length is set by dragoman itself; leave it out",
    );
    refused(&with("headers.'a b' = '1'"), "3: targets.a.headers.a b is no name of a header");
    refused(&with("headers.a = 1"), "3: targets.a.headers.a is 1 (an integer); expected a text in quotes");
}

#[test]
fn brokers_are_read_with_their_defaults() {
    let config = parse(
        r#"
        [brokers.plant]
        url = "mqtt://broker.example"
        dialect = "acme-things"
        device_alias = "acme.id"
        topics = ["plant/{device}/up", "$acme/{device}/#"]
        [brokers.hall]
        url = "mqtts://[::1]:8884/"
        dialect = "globex-units"
        device_alias = "globex.id"
        topics = ["{device}"]
        client_id = "gateway"
        username = "u"
        password_file = "hall.password"
        ca_file = "ca.pem"
        certificate_file = "gateway.pem"
        key_file = "gateway.key"
        receive_max = 10
        waiting_max = 20
        sends_max = 2
        "#,
    )
    .unwrap();
    let plant = &config.brokers["plant"];
    assert_eq!((plant.host.as_str(), plant.port, plant.tls), ("broker.example", 1883, false));
    assert_eq!((plant.client_id.as_str(), plant.in_flight_max, plant.sends_max), ("dragoman-plant", 256, 5));
    let filters: Vec<&str> = plant.topics.iter().map(super::brokers::TopicPattern::filter).collect();
    assert_eq!(filters, ["plant/+/up", "$acme/+/#"]);
    for (pattern, topic, device) in [
        (0, "plant/d1/up", Some("d1")),
        (0, "plant/d1/down", None),
        (0, "plant//up", None),
        (1, "$acme/d2/a/b", Some("d2")),
        (1, "$acme", None),
    ] {
        assert_eq!(plant.topics[pattern].device(topic), device, "{topic}");
    }
    let hall = &config.brokers["hall"];
    assert_eq!((hall.host.as_str(), hall.port, hall.tls, hall.sends_max), ("::1", 8884, true, 2));
    assert_eq!((hall.receive_max, hall.waiting_max), (10, 20));
    assert_eq!((plant.receive_max, plant.waiting_max), (256, 65_536));
    assert_eq!(hall.identity, Some(("/etc/dragoman/gateway.pem".into(), "/etc/dragoman/gateway.key".into())));
    assert!(hall.options("hall").unwrap_err().to_string().starts_with("brokers.hall.password_file names"));
}

#[test]
fn a_broker_that_cannot_be_used_is_refused() {
    let with =
        |line: &str| format!("[brokers.a]\ndialect = 'x'\ndevice_alias = 'x.id'\ntopics = ['{{device}}/up']\n{line}");
    let url = |url: &str| with(&format!("url = '{url}'"));
    let expected = "expected an address such as \"mqtts://broker.example.org:8883\"";
    refused(&with(""), &format!("2: brokers.a.url is missing; {expected}"));
    refused(&url("broker:1883"), &format!("5: brokers.a.url is no address of a broker; {expected}"));
    refused(&url("http://broker"), &format!("5: brokers.a.url is no address of a broker; {expected}"));
    for bad in ["mqtt://", "mqtt://:1883", "mqtt://a b", "mqtt://a:99999"] {
        refused(&url(bad), &format!("5: brokers.a.url names no host and port; {expected}"));
    }
    refused(
        &url("mqtt://user:hush@broker"),
        "5: brokers.a.url has a user name or password inside; set username and password_file instead",
    );
    let good = |line: &str| with(&format!("url = 'mqtt://a'\n{line}"));
    refused(&good("send_max = 3"), "6: unknown key brokers.a.send_max; did you mean brokers.a.sends_max?");
    refused(&good("sends_max = 0"), "6: brokers.a.sends_max is 0; allowed are 1 to 1000");
    refused(&good("ca_file = 'a'"), "6: brokers.a.ca_file means nothing for a url that begins with mqtt://");
    refused(&good("key_file = 'a'"), "6: brokers.a.key_file is set and certificate_file is not; set both or none");
    refused(&good("password_file = 'a'"), "6: brokers.a.password_file means nothing without username");
    let topics = |topics: &str| {
        format!("[brokers.a]\nurl = 'mqtt://a'\ndialect = 'x'\ndevice_alias = 'x.id'\ntopics = {topics}")
    };
    let needed = "a topic filter with {device} as one of its levels, such as \"plant/{device}/up\"";
    refused(&topics("[]"), &format!("2: brokers.a.topics is missing; set what devices publish: {needed}"));
    for bad in ["a/+/up", "{device}/{device}", "a/x{device}/up", "#/{device}"] {
        refused(
            &topics(&format!("['{bad}']")),
            &format!("5: brokers.a.topics[0] is \"{bad}\" (a text); expected {needed}"),
        );
    }
    refused(
        &topics("['$share/g/$x/{device}']"),
        "5: brokers.a.topics has a shared subscription: answers to this gateway's commands would go to another one, and \
         mosquitto delivers nothing under a shared subscription to topics that begin with $; leave $share/ and its group out",
    );
    refused(
        "[brokers.a]\nurl = 'mqtt://a'\ndialect = 'x'\ndevice_alias = 'x.id'\ntopics = ['{device}']\n\
         [brokers.b]\nurl = 'mqtt://b'\ndialect = 'x'\ndevice_alias = 'x.id'\ntopics = ['{device}']",
        "8: brokers.b.dialect is \"x\", whose devices are at brokers.a already; a dialect has one broker",
    );
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("none.toml");
    let error = Config::load(&file).unwrap_err().to_string();
    assert_eq!(
        error,
        format!("configuration {} cannot be read: No such file or directory (os error 2)", file.display())
    );
}

/// The example shows every key, and what it shows is the default. A key that is commented out in it counts as shown.
#[test]
fn the_example_shows_every_key_and_its_default() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dragoman.example.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let example = parse(&text).unwrap();
    let mut defaults = Config::defaults(Path::new("/etc/dragoman"));
    defaults.file = example.file.clone();
    for (name, plugin) in &example.named_plugins {
        assert_eq!(*plugin, PluginConfig::default(), "plugin.{name}");
    }
    defaults.named_plugins = example.named_plugins.clone();
    assert_eq!(example, defaults);

    let shown: Vec<&str> = text.lines().map(|line| line.trim_start_matches("# ")).collect();
    for (table, keys) in super::sections::TABLES {
        let is_heading = |line: &str| match table.strip_suffix('*') {
            Some(prefix) => line.starts_with(&format!("[{prefix}")) && !line.ends_with(".settings]"),
            None => line == format!("[{table}]"),
        };
        let heading = shown.iter().position(|line| is_heading(line)).unwrap_or_default();
        let end =
            shown.iter().skip(heading + 1).position(|line| line.starts_with('[')).map(|length| heading + 1 + length);
        let lines = &shown[heading..end.unwrap_or(shown.len())];
        for key in keys {
            let found = lines.iter().any(|line| line.split('=').next().is_some_and(|name| name.trim() == *key));
            let is_table =
                shown.iter().any(|line| line.starts_with(&format!("[{key}")) || line.ends_with(&format!(".{key}]")));
            let is_table = is_table || shown.iter().any(|line| line.starts_with(&format!("[{table}.{key}.")));
            assert!(found || is_table, "{table}.{key} is not in dragoman.example.toml");
        }
    }
}

#[test]
fn listeners_are_plain_or_have_certificates() {
    let plain = parse("").unwrap();
    assert_eq!((&plain.http.tls, &plain.admin.tls, &plain.mqtt.tls), (&None, &None, &None));
    let config = parse(
        r#"
        [http]
        certificate_file = "tls/a.pem"
        key_file = "/etc/a.key"
        [admin]
        certificate_file = "b.pem"
        key_file = "b.key"
        client_ca_file = "operators.pem"
        [tls]
        handshake_timeout_ms = 100
        handshakes_max = 1
        [mqtt]
        dialects = ["acme-things"]
        [mqtt.listeners.browsers]
        listen = "0.0.0.0:8084"
        transport = "websocket"
        certificate_file = "c.pem"
        key_file = "c.key"
        [mqtt.listeners.plant]
        listen = "0.0.0.0:1884"
        dialects = ["globex-units"]
        "#,
    )
    .unwrap();
    let files = |certificate: &str, key: &str, client_ca: Option<&str>| TlsFiles {
        certificate: certificate.into(),
        key: key.into(),
        client_ca: client_ca.map(Into::into),
    };
    let at = |name: &str| format!("/etc/dragoman/{name}");
    assert_eq!(config.http.tls, Some(files(&at("tls/a.pem"), "/etc/a.key", None)));
    assert_eq!(config.admin.tls, Some(files(&at("b.pem"), &at("b.key"), Some(&at("operators.pem")))));
    assert_eq!((config.tls.handshake_timeout_ms, config.tls.handshakes_max), (100, 1));
    let browsers = &config.mqtt.listeners["browsers"];
    assert_eq!((browsers.websocket_path.as_deref(), browsers.listen.port()), (Some("/mqtt"), 8084));
    assert_eq!(browsers.tls, Some(files(&at("c.pem"), &at("c.key"), None)));
    let plant = &config.mqtt.listeners["plant"];
    assert_eq!((&plant.websocket_path, &plant.tls), (&None, &None));
    for (listener, expected) in [("mqtt", "acme-things"), ("browsers", "acme-things"), ("plant", "globex-units")] {
        assert_eq!(config.mqtt.dialects_of(listener), [expected]);
    }
}

#[test]
fn a_listener_that_cannot_be_meant_is_refused() {
    for (text, problem) in [
        ("[http]\ncertificate_file = \"a\"", "2: http.certificate_file is set and key_file is not; set both or none"),
        ("[admin]\nkey_file = \"a\"", "2: admin.key_file is set and certificate_file is not; set both or none"),
        (
            "[mqtt]\nclient_ca_file = \"a\"",
            "2: mqtt.client_ca_file means nothing without certificate_file and key_file",
        ),
        ("[http]\nkeyfile = \"a\"", "2: unknown key http.keyfile; did you mean http.key_file?"),
        ("[tls]\nhandshake_timeout_ms = 99", "2: tls.handshake_timeout_ms is 99; allowed are 100 to 60000"),
        (
            "[mqtt.listeners.a]\ntransport = \"websocket\"",
            "2: mqtt.listeners.a.listen is missing; set address and port, such as \"0.0.0.0:8883\"",
        ),
        (
            "[mqtt.listeners.a]\nlisten = \"127.0.0.1:0\"\npath = \"/mqtt\"",
            "3: mqtt.listeners.a.path means nothing without mqtt.listeners.a.transport = \"websocket\"",
        ),
        (
            "[mqtt.listeners.a]\nlisten = \"127.0.0.1:0\"\ntransport = \"websocket\"\npath = \"mqtt\"",
            "4: mqtt.listeners.a.path is \"mqtt\"; expected the path of a URL, such as \"/mqtt\"",
        ),
        (
            "[mqtt.listeners.a]\nlisten = \"127.0.0.1:8080\"",
            "2: mqtt.listeners.a.listen is \"127.0.0.1:8080\", which http.listen takes; choose another port",
        ),
        (
            "[mqtt.listeners.mqtt]\nlisten = \"127.0.0.1:0\"",
            "1: mqtt.listeners.mqtt is the name of the listener that [mqtt] describes; choose another",
        ),
        (
            "[mqtt.listeners.a]\nlisten = \"127.0.0.1:0\"\nwebsocket = true",
            "3: unknown key mqtt.listeners.a.websocket; known are listen, transport, path, dialects, certificate_file, \
             key_file, client_ca_file",
        ),
    ] {
        refused(text, problem);
    }
}
