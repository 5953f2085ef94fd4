//! The dialect as transcripts: every call, what it submits and sends, and the answers, byte for byte.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{DEVICE, NOW_MS, call as call_on, gateway, play, speaker, uplink};
use dragoman_plugin_sdk::testing::{Deed, Fake, Transcript, ended, ended_by_host, execution, request, session};
use dragoman_plugin_sdk::{
    Admission, Decision, Error, Execution, Gateway, Intent, Invocation, Northbound, Outcome, Payload, Presented,
    PropertyName, Reason, Report, Request, Settlement, Southbound, State, Submission,
};
use huawei_iotda::{Iotda, NAME};

const SEED_BODY: &str = r#"{ "service_id" : "WaterMeter", "command_name" : "ON_OFF", "paras" : { "value" : "ON" } }"#;
const SEED_RESPONSE: &str =
    r#"{ "result_code": 0, "response_name": "COMMAND_RESPONSE", "paras": { "result": "success" } }"#;

fn call(device: &str, body: &str) -> Request {
    call_on("POST", device, "commands", body)
}

/// Makes the seed's call and tells the context of the waiting call and the record of the command.
fn accepted(fake: &Fake) -> (String, Execution) {
    let Ok(Decision::Wait(wait)) = Iotda::handle_request(fake, &call(DEVICE, SEED_BODY)) else { panic!("it waits") };
    let (id, command) = fake.submitted().unwrap();
    fake.deeds.take();
    (wait.context, execution(&id, NAME, command, NOW_MS))
}

fn settle(transcript: &mut Transcript, context: &str, settled: Result<Execution, Reason>) {
    let settlement = Settlement { id: "e-1".to_owned(), settled };
    transcript.response(&Iotda::settled(&Fake::default(), context, &[settlement]).unwrap());
}

fn reported(record: &Execution, outcome: Outcome, response: &str) -> Execution {
    ended(record.clone(), outcome, vec![("huawei.response".to_owned(), response.to_owned())])
}

/// The flow of the platform's page "Command, Property, and Message Delivery for MQTT Devices", with its own examples.
#[test]
fn the_seeds_command_goes_to_the_device_and_back() {
    let mut transcript = Transcript::default();
    let fake = gateway();
    let post = call(DEVICE, SEED_BODY);
    let decision = Iotda::handle_request(&fake, &post);
    transcript.section("the application sends a command").request(&post).decision(&decision);
    let (id, command) = fake.submitted().unwrap();
    transcript.deeds(&fake);
    let Ok(Decision::Wait(wait)) = decision else { panic!("it waits") };
    let mut record = execution(&id, NAME, command, NOW_MS);
    record.attempt = 1;
    let device = fake.device("dev-1").unwrap();
    transcript.section("it goes to the device").attempt(&record);
    transcript.dispatched(&Iotda::dispatch(&fake, &device, &record));

    let speaker = speaker();
    let topic = format!("$oc/devices/{DEVICE}/sys/commands/response/request_id={}", Fake::id(3));
    let answer = uplink(&topic, SEED_RESPONSE);
    transcript.section("the device answers").message("receive", &answer);
    Iotda::handle_message(&fake, &speaker, &answer).unwrap();
    transcript.deeds(&fake);

    transcript.section("the application is answered");
    let outcome = Outcome::Succeeded(Some(r#"{ "result": "success" }"#.to_owned()));
    settle(&mut transcript, &wait.context, Ok(reported(&record, outcome, SEED_RESPONSE)));
    transcript.check("tests/golden/seed.txt");
}

#[test]
fn every_end_has_the_platforms_answer() {
    let mut transcript = Transcript::default();
    let (context, record) = accepted(&gateway());
    let reason = |code: &str| Reason { code: code.to_owned(), text: "why".to_owned(), detail: None };
    let busy = Reason { detail: Some(r#"{"until":5}"#.to_owned()), ..reason("BUSY") };
    let large = Reason { detail: Some(r#"{"result_code":1,"x":"large"}"#.to_owned()), ..reason("RESULT_CODE_1") };
    let mut stepped = reported(&record, Outcome::Failed(reason("READ_BACK_DIFFERS")), r#"{"result_code":0}"#);
    stepped.frames =
        vec![Intent::Invoke(Invocation { service: None, action: "getLevel".to_owned(), params: "{}".to_owned() })];
    let rows = [
        ("empty response", reported(&record, Outcome::Succeeded(None), "null")),
        ("result code", reported(&record, Outcome::Failed(reason("RESULT_CODE_7")), r#"{"result_code":7,"x":1.50}"#)),
        ("a step's response is not the command's", stepped),
        ("result code, without the response as it came", ended(record.clone(), Outcome::Failed(large), vec![])),
        ("another dialect: success", ended(record.clone(), Outcome::Succeeded(Some(r#"{"v":1}"#.to_owned())), vec![])),
        ("another dialect: no result", ended(record.clone(), Outcome::Succeeded(None), vec![])),
        (
            "another dialect: result is no object",
            ended(record.clone(), Outcome::Succeeded(Some("[1]".to_owned())), vec![]),
        ),
        ("another dialect: failed", ended(record.clone(), Outcome::Failed(busy.clone()), vec![])),
        ("another dialect: rejected", ended(record.clone(), Outcome::Rejected(reason("NO")), vec![])),
        ("time-out", ended_by_host(record.clone(), State::TimedOut, "$NO_RESPONSE")),
        ("time-out in the queue", ended_by_host(record.clone(), State::TimedOut, "$EXPIRED_IN_QUEUE")),
        ("gone while sent", ended_by_host(record.clone(), State::Failed, "$AWAY")),
        ("not subscribed", ended_by_host(record.clone(), State::Failed, "$NO_SUBSCRIBER")),
        ("plugin fault", ended_by_host(record.clone(), State::Failed, "$PLUGIN_TRAP")),
        ("no words in the device's dialect", ended_by_host(record.clone(), State::Failed, "NO_ACTION")),
        (
            "every attempt failed",
            Execution { attempt: 1, ..ended_by_host(record.clone(), State::Failed, "LORAWAN_NACK") },
        ),
        ("canceled", ended_by_host(record.clone(), State::Canceled, "$CANCELED")),
        ("delivered only", ended_by_host(record, State::Succeeded, "$DELIVERED_ONLY")),
    ];
    for (title, record) in rows {
        transcript.section(title);
        settle(&mut transcript, &context, Ok(record));
    }
    for code in ["$AWAY", "$QUEUE_FULL", "$LIMIT", "$UNKNOWN_DEVICE", "$INVALID", "$LATER"] {
        transcript.section(code);
        settle(&mut transcript, &context, Err(reason(code)));
    }
    transcript.check("tests/golden/ends.txt");
}

#[test]
fn calls_that_do_not_fit_are_refused() {
    let mut transcript = Transcript::default();
    let mut fake = gateway();
    let good = call(DEVICE, SEED_BODY);
    let mut bytes = good.clone();
    bytes.body = Payload::Bytes(vec![b'{', 0xff]);
    let mut other_project = good.clone();
    other_project.path = other_project.path.replace("/p/", "/q/");
    let mut basic = good.clone();
    basic.presented = Some(Presented { scheme: "basic".to_owned(), account: Some("app".to_owned()) });
    let rows = [
        ("no token", request("POST", &good.path, SEED_BODY)),
        ("Basic", basic),
        ("another project", other_project),
        ("no device id of the platform", call("a%2Fb", SEED_BODY)),
        ("an encoding that is broken", call("%ff", SEED_BODY)),
        ("unknown device", call("nobody", SEED_BODY)),
        ("not UTF-8", bytes),
        ("not JSON", call(DEVICE, "{\"paras\":")),
        ("no object", call(DEVICE, "[]")),
        ("no paras", call(DEVICE, "{}")),
        ("paras in a string", call(DEVICE, r#"{"paras":"{}"}"#)),
    ];
    for (title, request) in rows {
        transcript.section(title);
        play(&mut transcript, &fake, &request).unwrap();
    }
    fake.presented = Some("wrong".to_owned());
    transcript.section("a wrong token");
    play(&mut transcript, &fake, &good).unwrap();
    fake.presented = Some("token".to_owned());
    fake.accounts.insert("app".to_owned(), ("token".to_owned(), "{}".to_owned()));
    transcript.section("rights that are none");
    play(&mut transcript, &fake, &good).unwrap_err();
    transcript.check("tests/golden/refusals.txt");
}

#[test]
fn a_gateway_carries_what_is_for_its_sub_devices() {
    let mut transcript = Transcript::default();
    let fake = gateway();
    let (_, mut record) = accepted(&fake);
    record.attempt = 1;
    record.device = "dev-2".to_owned();
    let device = fake.device("dev-2").unwrap();
    transcript.section("a command").attempt(&record).dispatched(&Iotda::dispatch(&fake, &device, &record));
    let asked = PropertyName { service: Some("T".to_owned()), name: "v".to_owned() };
    record.frames = vec![Intent::Read(vec![asked])];
    transcript.section("a read").attempt(&record).dispatched(&Iotda::dispatch(&fake, &device, &record));
    let invoke = Invocation { service: None, action: "setTemperature".to_owned(), params: "null".to_owned() };
    let foreign = execution("f-1", "emqx-fleets", Submission::new("dev-2", Intent::Invoke(invoke)), NOW_MS);
    transcript.section("a command of another dialect").attempt(&foreign);
    transcript.dispatched(&Iotda::dispatch(&fake, &device, &foreign));
    fake.add_device("dev-3", NAME, &[("fleets.name", "x")]);
    let nameless = fake.device("dev-3").unwrap();
    transcript.section("a device without an id").dispatched(&Iotda::dispatch(&fake, &nameless, &foreign));
    transcript.check("tests/golden/gateway.txt");
}

#[test]
fn only_responses_of_the_session_itself_report() {
    let mut transcript = Transcript::default();
    let mut fake = gateway();
    let speaker = speaker();
    let own = format!("$oc/devices/{DEVICE}/sys");
    let rows = [
        (format!("{own}/commands/response/request_id=r-1"), ""),
        (format!("{own}/commands/response/request_id=r-1"), r#"{"result_code":1,"paras":{}}"#),
        (format!("{own}/commands/response/request_id=r-1"), "no json"),
        (format!("{own}/properties/set/response/request_id=r-2"), r#"{"result_code":0,"result_desc":"Success"}"#),
        (
            format!("{own}/properties/get/response/request_id=r-3"),
            r#"{"services":[{"service_id":"T","properties":{"v":57},"event_time":null}]}"#,
        ),
        ("$oc/devices/p_sub/sys/commands/response/request_id=r-1".to_owned(), r#"{"result_code":0}"#),
        (format!("{own}/properties/report"), r#"{"services":[]}"#),
        (format!("{own}/messages/up"), "x"),
        (format!("$oc/devices/{DEVICE}/user/x"), "x"),
    ];
    for (topic, payload) in rows {
        let message = uplink(&topic, payload);
        transcript.line("").message("receive", &message);
        Iotda::handle_message(&fake, &speaker, &message).unwrap();
        transcript.deeds(&fake);
    }
    let topic = format!("{own}/commands/response/request_id=r-1");
    let large = uplink(&topic, &format!(r#"{{"paras":{{"x":"{}"}}}}"#, "y".repeat(15 * 1_024)));
    Iotda::handle_message(&fake, &speaker, &large).unwrap();
    let told = fake.deeds.take();
    assert!(
        matches!(told.as_slice(), [Deed::Told(_, Report::Ended(Outcome::Succeeded(Some(_))), none)] if none.is_empty())
    );
    fake.tell_error = Some(Error::Denied("a stranger".to_owned()));
    let message = uplink(&format!("{own}/commands/response/request_id=r-1"), r#"{"result_code":0}"#);
    transcript.section("what the gateway does not take").message("receive", &message);
    Iotda::handle_message(&fake, &speaker, &message).unwrap();
    transcript.deeds(&fake).check("tests/golden/uplinks.txt");
}

#[test]
fn devices_connect_as_the_official_sdks_do() {
    let mut transcript = Transcript::default();
    let mut fake = gateway();
    fake.add_device("dev-3", "emqx-fleets", &[("huawei.id", "foreign")]);
    fake.mac = Some(Ok(true));
    let connect =
        |transcript: &mut Transcript, fake: &Fake, title: &str, client_id: &str, user: Option<&str>, keep: u16| {
            let verdict = Iotda::authenticate(fake, &session(client_id, user), keep, true);
            transcript.section(title).verdict(&verdict).deeds(fake);
        };
    let id = |rest: &str| format!("{DEVICE}{rest}");
    let user = Some(DEVICE);
    connect(&mut transcript, &fake, "as it should", &id("_0_0_1999010100"), user, 120);
    transcript.line(&format!("{:?}", fake.mac_steps.take()));
    connect(&mut transcript, &fake, "with a checked time stamp", &id("_0_1_2025041402"), user, 30);
    connect(&mut transcript, &fake, "with an old one", &id("_0_1_2025041323"), user, 120);
    connect(&mut transcript, &fake, "no user name", &id("_0_0_1999010100"), None, 120);
    connect(&mut transcript, &fake, "an unknown user name", "x_0_0_1999010100", Some("x"), 120);
    connect(&mut transcript, &fake, "a device of another dialect", "foreign_0_0_1999010100", Some("foreign"), 120);
    connect(&mut transcript, &fake, "a sub-device", "p_sub_0_0_1999010100", Some("p_sub"), 120);
    connect(&mut transcript, &fake, "another's client id", "x_0_0_1999010100", user, 120);
    connect(&mut transcript, &fake, "no client id of the platform", DEVICE, user, 120);
    connect(&mut transcript, &fake, "keep-alive too short", &id("_0_0_1999010100"), user, 29);
    connect(&mut transcript, &fake, "keep-alive too long", &id("_0_0_1999010100"), user, 1_201);
    fake.settings = r#"{"extra-topics":["/factory/+/in"]}"#.to_owned();
    connect(&mut transcript, &fake, "with topics outside of its own", &id("_0_0_1999010100"), user, 120);
    fake.settings = String::new();
    fake.mac = Some(Ok(false));
    connect(&mut transcript, &fake, "a wrong password", &id("_0_0_1999010100"), user, 1_200);
    fake.mac = None;
    connect(&mut transcript, &fake, "no secret", &id("_0_0_1999010100"), user, 120);
    fake.mac = Some(Err(Error::Unavailable("busy".to_owned())));
    connect(&mut transcript, &fake, "a gateway that cannot check", &id("_0_0_1999010100"), user, 120);
    transcript.check("tests/golden/admission.txt");
}
