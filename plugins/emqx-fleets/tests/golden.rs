//! The dialect as transcripts: every call, what it submits and sends, and the answers, byte for byte.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use dragoman_plugin_sdk::testing::{Fake, Transcript, ended, ended_by_host, execution, request, session};
use dragoman_plugin_sdk::{
    Admission, Decision, Execution, Gateway, Intent, Invocation, Message, Northbound, Outcome, Payload, Presented,
    Property, Reason, Request, Settlement, Southbound, State, Submission,
};
use emqx_fleets::{Fleets, NAME};

const NOW_MS: u64 = 1_748_390_400_000;

/// Everything may be called with this key.
fn gateway() -> Fake {
    let mut fake = Fake { now_ms: NOW_MS, presented: Some("secret".to_owned()), ..Fake::default() };
    let all = r#"{"GET":["/api/v1/"],"POST":["/api/v1/"],"DELETE":["/api/v1/"]}"#;
    fake.accounts.insert("ak_test".to_owned(), ("secret".to_owned(), all.to_owned()));
    let aliases = [
        ("fleets.name", "thermostat-001"),
        ("fleets.id", "7f1d2c9a-0000-4000-8000-000000000001"),
        ("fleets.client-id", "client-001"),
    ];
    fake.add_device("dev-1", NAME, &aliases);
    fake
}

fn call(method: &str, target: &str, body: &str) -> Request {
    let mut request = request(method, target, body);
    request.presented = Some(Presented { scheme: "basic".to_owned(), account: Some("ak_test".to_owned()) });
    request
}

fn play(transcript: &mut Transcript, fake: &Fake, request: &Request) {
    transcript.request(request).decision(&Fleets::handle_request(fake, request)).deeds(fake);
}

fn settle(transcript: &mut Transcript, fake: &Fake, id: &str, settled: Result<Execution, Reason>) {
    let settlement = Settlement { id: id.to_owned(), settled };
    transcript.response(&Fleets::settled(fake, "{}", &[settlement]).unwrap());
}

/// Sends the seed's own command and tells its record.
fn accepted(fake: &Fake) -> Execution {
    let body = r#"{"thingId":"thermostat-001","action":"setTemperature","params":{"value":24},"ttl":30}"#;
    let decision = Fleets::handle_request(fake, &call("POST", "/api/v1/commands", body)).unwrap();
    assert!(matches!(decision, Decision::Wait(_)));
    let (id, command) = fake.submitted().unwrap();
    fake.deeds.take();
    execution(&id, NAME, command, NOW_MS)
}

fn response(thing: &str, execution: &str, payload: &str) -> Message {
    Message {
        topic: format!("$emqx/commands/things/{thing}/executions/{execution}/response"),
        payload: Payload::Text(payload.to_owned()),
        qos: 1,
        retain: false,
        attributes: Vec::new(),
    }
}

/// The flow of the platform's page "Send Commands", with its own examples.
#[test]
fn the_seeds_command_goes_to_the_thing_and_back() {
    let mut transcript = Transcript::default();
    let mut fake = gateway();
    let body = r#"{"thingId":"thermostat-001","action":"setTemperature","params":{"value":24},"ttl":30}"#;
    let post = call("POST", "/api/v1/commands", body);
    transcript.section("the application sends a command").request(&post);
    transcript.decision(&Fleets::handle_request(&fake, &post));
    let (id, command) = fake.submitted().unwrap();
    transcript.deeds(&fake);
    let mut record = execution(&id, NAME, command, NOW_MS);
    transcript.section("it is durable");
    settle(&mut transcript, &fake, &id, Ok(record.clone()));

    record.attempt = 1;
    let device = fake.device("dev-1").unwrap();
    transcript.section("it goes to the thing").attempt(&record);
    transcript.dispatched(&Fleets::dispatch(&fake, &device, &record));

    let mut thing = session("client-001", None);
    thing.device = Some("dev-1".to_owned());
    let answer = response("thermostat-001", &id, r#"{"status":"SUCCEEDED","result":{"currentTemperature":24}}"#);
    transcript.section("the thing answers").message("receive", &answer);
    Fleets::handle_message(&fake, &thing, &answer).unwrap();
    transcript.deeds(&fake);

    fake.executions.push(ended(record, Outcome::Succeeded(Some(r#"{"currentTemperature":24}"#.to_owned())), vec![]));
    transcript.section("the application asks");
    play(&mut transcript, &fake, &call("GET", &format!("/api/v1/commands/{id}"), ""));
    transcript.check("tests/golden/seed.txt");
}

#[test]
fn every_end_has_a_status_and_a_reason() {
    let mut transcript = Transcript::default();
    let fake = gateway();
    let record = accepted(&fake);
    let failed = Reason {
        code: "BUSY".to_owned(),
        text: "the device is busy".to_owned(),
        detail: Some(r#"{"until":5}"#.to_owned()),
    };
    let rows = [
        ended(record.clone(), Outcome::Failed(failed.clone()), vec![]),
        ended(record.clone(), Outcome::Rejected(failed), vec![]),
        ended_by_host(record.clone(), State::TimedOut, "$NO_RESPONSE"),
        ended_by_host(record.clone(), State::Canceled, "$CANCELED"),
        ended_by_host(record.clone(), State::Failed, "$PLUGIN_TRAP"),
        ended_by_host(record, State::Succeeded, "$DELIVERED_ONLY"),
    ];
    for record in rows {
        transcript.section(&format!("{:?}", record.state));
        settle(&mut transcript, &fake, "e", Ok(record));
    }
    transcript.section("refused");
    let reason = Reason { code: "$QUEUE_FULL".to_owned(), text: "100 commands wait".to_owned(), detail: None };
    settle(&mut transcript, &fake, "e", Err(reason));
    transcript.check("tests/golden/ends.txt");
}

#[test]
fn keys_open_what_they_permit() {
    let mut transcript = Transcript::default();
    let mut fake = gateway();
    let get = call("GET", "/api/v1/things", "");
    transcript.section("no key");
    play(&mut transcript, &fake, &request("GET", "/api/v1/things", ""));
    transcript.section("a bearer token");
    let mut bearer = get.clone();
    bearer.presented = Some(Presented { scheme: "bearer".to_owned(), account: None });
    play(&mut transcript, &fake, &bearer);
    transcript.section("a wrong secret");
    fake.presented = Some("other".to_owned());
    play(&mut transcript, &fake, &get);
    transcript.section("no permission for the method");
    fake.presented = Some("secret".to_owned());
    fake.accounts.insert("ak_test".to_owned(), ("secret".to_owned(), r#"{"GET":["/api/v1/things"]}"#.to_owned()));
    play(&mut transcript, &fake, &call("POST", "/api/v1/things", "{}"));
    transcript.section("no permission for the path");
    play(&mut transcript, &fake, &call("GET", "/api/v1/commands", ""));
    transcript.section("rights that are none");
    fake.accounts.insert("ak_test".to_owned(), ("secret".to_owned(), "[]".to_owned()));
    play(&mut transcript, &fake, &get);
    transcript.check("tests/golden/keys.txt");
}

#[test]
fn things_are_created_found_and_listed() {
    let mut transcript = Transcript::default();
    let fake = gateway();
    fake.add_device("meter-1", "huawei-iotda", &[("huawei.id", "p_meter"), ("fleets.name", "meter")]);
    fake.add_device("other-1", "huawei-iotda", &[("huawei.id", "p_other")]);
    let rows = [
        (
            "POST",
            "/api/v1/things",
            r#"{"name":"t-2","mqttClientId":"c-2","tags":["floor-1","floor-1","b"],"thingTypeId":"com.example.t"}"#,
        ),
        ("POST", "/api/v1/things", r#"{"name":"t-2","mqttClientId":"c-3"}"#),
        ("POST", "/api/v1/things", r#"{"name":"t-3","mqttClientId":"client-001"}"#),
        ("POST", "/api/v1/things", r#"{"name":"a/b","mqttClientId":"c"}"#),
        ("POST", "/api/v1/things", r#"{"name":"a+","mqttClientId":"c"}"#),
        ("POST", "/api/v1/things", r#"{"name":"a"}"#),
        ("POST", "/api/v1/things", r#"{"name":"a","mqttClientId":"c","tags":"x"}"#),
        ("POST", "/api/v1/things", r#"{"name":"a","mqttClientId":"c","thingTypeId":7}"#),
        ("POST", "/api/v1/things", "[]"),
        ("GET", "/api/v1/things/t-2", ""),
        ("GET", "/api/v1/things/7f1d2c9a-0000-4000-8000-000000000001", ""),
        ("GET", "/api/v1/things/meter", ""),
        ("GET", "/api/v1/things/meter-1", ""),
        ("GET", "/api/v1/things/other-1", ""),
        ("GET", "/api/v1/things/nobody", ""),
        ("GET", "/api/v1/things/%ff", ""),
        ("GET", "/api/v1/things", ""),
        ("GET", "/api/v1/things?tagName=floor-1", ""),
        ("GET", "/api/v1/things?limit=1&page=2", ""),
        ("GET", "/api/v1/things?limit=0", ""),
        ("GET", "/api/v1/things?tagName=%zz", ""),
    ];
    for (method, target, body) in rows {
        transcript.line("");
        play(&mut transcript, &fake, &call(method, target, body));
    }
    transcript.check("tests/golden/things.txt");
}

#[test]
fn commands_are_refused_found_listed_and_canceled() {
    let mut transcript = Transcript::default();
    let mut fake = gateway();
    let open = accepted(&fake);
    let mut done = ended(open.clone(), Outcome::Succeeded(None), vec![]);
    done.id = "done".to_owned();
    let mut foreign = open.clone();
    (foreign.id, foreign.origin) = ("foreign".to_owned(), "huawei-iotda".to_owned());
    let id = open.id.clone();
    fake.executions = vec![done, open];
    let rows = [
        ("POST", "/api/v1/commands".to_owned(), r#"{"thingId":"nobody","action":"a"}"#),
        ("POST", "/api/v1/commands".to_owned(), r#"{"thingId":"thermostat-001","action":"a","params":7}"#),
        ("GET", "/api/v1/commands/nothing".to_owned(), ""),
        ("GET", "/api/v1/commands/%00".to_owned(), ""),
        ("GET", "/api/v1/commands?thingId=thermostat-001&action=setTemperature&status=SENT".to_owned(), ""),
        ("GET", "/api/v1/commands?thingId=nobody".to_owned(), ""),
        ("GET", "/api/v1/commands?action=other".to_owned(), ""),
        ("GET", "/api/v1/commands?status=QUEUED".to_owned(), ""),
        ("GET", "/api/v1/commands?limit=1".to_owned(), ""),
        ("GET", "/api/v1/commands?limit=1&page=2".to_owned(), ""),
        ("GET", "/api/v1/commands?limit=200&page=26".to_owned(), ""),
        ("POST", format!("/api/v1/commands/{id}/cancel"), ""),
        ("DELETE", format!("/api/v1/commands/{id}"), ""),
        ("DELETE", "/api/v1/commands/done".to_owned(), ""),
        ("DELETE", "/api/v1/commands/nothing".to_owned(), ""),
    ];
    for (method, target, body) in rows {
        transcript.line("");
        play(&mut transcript, &fake, &call(method, &target, body));
    }
    fake.executions.push(foreign);
    transcript.section("an execution of another dialect");
    play(&mut transcript, &fake, &call("GET", "/api/v1/commands/foreign", ""));
    transcript.check("tests/golden/commands.txt");
}

#[test]
fn attempts_and_frames_have_keys_of_their_own() {
    let mut transcript = Transcript::default();
    let fake = gateway();
    let device = fake.device("dev-1").unwrap();
    let mut record = accepted(&fake);
    let invoke = |action: &str| {
        Intent::Invoke(Invocation {
            service: Some("Box".to_owned()),
            action: action.to_owned(),
            params: "null".to_owned(),
        })
    };
    record.attempt = 2;
    record.frames = vec![invoke("getLevel")];
    transcript.section("a second attempt").attempt(&record).dispatched(&Fleets::dispatch(&fake, &device, &record));
    record.attempt = 1;
    let write = Property { service: None, name: "level".to_owned(), value: "3".to_owned() };
    record.frames = vec![invoke("unlock"), Intent::Write(vec![write])];
    transcript.section("two frames").attempt(&record).dispatched(&Fleets::dispatch(&fake, &device, &record));

    let mut foreign = execution("f-1", "huawei-iotda", Submission::new("dev-1", invoke("ON_OFF")), NOW_MS - 9_500);
    foreign.context = Some(r#"{"command_id":"not for us"}"#.to_owned());
    foreign.attempt = 1;
    transcript.section("a command of another dialect, 9.5 s old").attempt(&foreign);
    transcript.dispatched(&Fleets::dispatch(&fake, &device, &foreign));

    fake.add_device("nameless", NAME, &[("fleets.client-id", "x")]);
    let nameless = fake.device("nameless").unwrap();
    transcript.section("a device without a name").dispatched(&Fleets::dispatch(&fake, &nameless, &record));
    transcript.check("tests/golden/dispatch.txt");
}

#[test]
fn strangers_and_nonsense_report_nothing() {
    let mut transcript = Transcript::default();
    let mut fake = gateway();
    fake.add_device("dev-2", NAME, &[("fleets.name", "other")]);
    let mut thing = session("client-001", None);
    thing.device = Some("dev-1".to_owned());
    let good = r#"{"status":"SUCCEEDED"}"#;
    for (name, payload) in [("other", good), ("nobody", good), ("thermostat-001", "{}"), ("thermostat-001", "[[")] {
        transcript.section(&format!("{name} {payload}"));
        Fleets::handle_message(&fake, &thing, &response(name, "e-1", payload)).unwrap();
        transcript.deeds(&fake);
    }
    fake.tell_error = Some(dragoman_plugin_sdk::Error::NotFound("no such attempt".to_owned()));
    transcript.section("an execution that is not known");
    Fleets::handle_message(&fake, &thing, &response("thermostat-001", "e-1", good)).unwrap();
    transcript.deeds(&fake).check("tests/golden/responses.txt");
}

#[test]
fn things_connect_with_their_client_id_and_password() {
    let mut transcript = Transcript::default();
    let mut fake = gateway();
    fake.add_device("dev-2", NAME, &[("fleets.name", "named-only")]);
    fake.add_device("dev-3", "huawei-iotda", &[("fleets.name", "foreign")]);
    fake.add_device("dev-4", NAME, &[("fleets.name", "a/#")]);
    fake.presented = Some("password".to_owned());
    for device in ["dev-1", "dev-2", "dev-4"] {
        fake.accounts.insert(format!("device/{device}"), ("password".to_owned(), "{}".to_owned()));
    }
    let connect = |transcript: &mut Transcript, fake: &Fake, title: &str, client_id: &str| {
        let verdict = Fleets::authenticate(fake, &session(client_id, Some("any")), 60, true);
        transcript.section(title).verdict(&verdict).deeds(fake);
    };
    connect(&mut transcript, &fake, "by its client id", "client-001");
    connect(&mut transcript, &fake, "by its name, which is not its client id", "thermostat-001");
    connect(&mut transcript, &fake, "by its name, where it has no other client id", "named-only");
    connect(&mut transcript, &fake, "a thing of another dialect", "foreign");
    connect(&mut transcript, &fake, "nobody", "nobody");
    connect(&mut transcript, &fake, "a name that would widen its rights", "a/#");
    fake.presented = Some("wrong".to_owned());
    connect(&mut transcript, &fake, "a wrong password", "client-001");
    fake.settings = r#"{"mqtt-authentication":"client-id"}"#.to_owned();
    connect(&mut transcript, &fake, "where the client id is enough", "client-001");
    transcript.check("tests/golden/admission.txt");
}
