//! Messages that mean nothing, keys that do not fit, and what is somebody else's.

use crate::stage::*;
use dragoman_plugin_sdk::testing::{Fake, Transcript, session};
use dragoman_plugin_sdk::{
    Admission, Answers, Gateway, Northbound, Notifications, Payload, Presented, State, Subscription, Subscriptions,
    Topics,
};
use the_things_stack::TheThingsStack as Tts;

/// Bad input by MQTT: nothing is submitted, nobody is answered, and a line in the log says why.
#[test]
fn bad_messages_are_dropped_with_a_line() {
    let fake = gateway();
    let other = PUSH.replace("app1", "app2");
    let rows = [
        (PUSH, "x", "decode_body"),
        (PUSH, "", "decode_body"),
        (PUSH, r#"{"downlinks":[{"f_port":1,"frm_payload":"AQ==",},]}"#, "decode_body"),
        (PUSH, r#"{"downlinks":[{"f_port":1,,"frm_payload":"AQ=="}]}"#, "decode_body"),
        (PUSH, r#"{"downlinks":[{"f_port":999,"frm_payload":"AQ=="}]}"#, "validate_body"),
        (PUSH, r#"{"downlinks":[{"f_port":999,"frm_payload":"AQ==",}]}"#, "decode_body"),
        (PUSH, r#"{"downlinks":[{"frm_payload":"AQ=="}]}"#, "no_f_port"),
        (PUSH, r#"{"downlinks":[{"f_port":1}]}"#, "no_payload"),
        ("v3/app1/devices/dev9/down/push", ITEM, "device_not_found"),
        (other.as_str(), ITEM, "nothing to do"),
        ("v3/app1/devices/dev1/up", ITEM, "nothing to do"),
        ("v3/app1/devices/dev1/down/push/now", ITEM, "nothing to do"),
        ("v3/app1@ttn/devices/dev1/down/push", ITEM, "nothing to do"),
        ("v3/app1/devices/+/down/push", ITEM, "nothing to do"),
    ];
    for (topic, payload, expected) in rows {
        assert_eq!(Tts::handle_message(&fake, &client(), &message(topic, payload)), Ok(None), "{topic} {payload}");
        assert_eq!(fake.submitted(), None, "{topic} {payload}");
        let log = fake.log.take();
        assert!(log.iter().any(|(_, text)| text.contains(expected)), "{topic} {payload}: {log:?}");
        fake.deeds.take();
    }
    let mut bytes = message(PUSH, "");
    bytes.payload = Payload::Bytes(vec![0xff]);
    assert_eq!(Tts::handle_message(&fake, &client(), &bytes), Ok(None));
    let mut stranger = client();
    stranger.principal = None;
    assert_eq!(Tts::handle_message(&fake, &stranger, &message(PUSH, ITEM)), Ok(None));
    assert_eq!(fake.submitted(), None);
}

#[test]
fn keys_open_their_application_and_nothing_else() {
    let mut transcript = Transcript::default();
    let mut fake = gateway();
    let connect = |transcript: &mut Transcript, fake: &Fake, title: &str, user: Option<&str>| {
        let verdict = Tts::authenticate(fake, &session("c", user), 60, true);
        transcript.section(title).verdict(&verdict).deeds(fake);
    };
    connect(&mut transcript, &fake, "read and write", Some("app1"));
    connect(&mut transcript, &fake, "no user name", None);
    connect(&mut transcript, &fake, "another application", Some("app2"));
    connect(&mut transcript, &fake, "the same application of a tenant", Some("app1@ttn"));
    connect(&mut transcript, &fake, "no application id", Some("App 1"));
    for (title, granted) in [
        ("read only", r#"["RIGHT_APPLICATION_TRAFFIC_READ"]"#),
        ("write only", r#"["RIGHT_APPLICATION_TRAFFIC_DOWN_WRITE"]"#),
        ("link", r#"["RIGHT_APPLICATION_LINK"]"#),
        ("another right", r#"["RIGHT_APPLICATION_INFO"]"#),
        ("no rights", "[]"),
    ] {
        rights(&mut fake, granted);
        connect(&mut transcript, &fake, title, Some("app1"));
        for (method, below, body) in [
            ("POST", "/devices/dev1/down/push", "{}"),
            ("GET", "/devices/dev1/down", ""),
            ("GET", "/mqtt-connection-info", ""),
        ] {
            let request = call(method, below, body);
            transcript.request(&request).decision(&Tts::handle_request(&fake, &request));
        }
    }
    fake.accounts.insert("app1".to_owned(), (KEY.to_owned(), r#"{"rights":7}"#.to_owned()));
    connect(&mut transcript, &fake, "rights that are none", Some("app1"));
    rights(&mut fake, r#"["RIGHT_APPLICATION_ALL"]"#);
    transcript.section("the path of another application");
    let mut request = call("GET", "/devices/dev1/down", "");
    request.path = request.path.replace("app1", "app2");
    transcript.decision(&Tts::handle_request(&fake, &request));
    transcript.section("Basic instead of Bearer");
    request.path = request.path.replace("app2", "app1");
    request.presented = Some(Presented { scheme: "basic".to_owned(), account: Some("app1".to_owned()) });
    transcript.decision(&Tts::handle_request(&fake, &request));
    fake.presented = Some("NNSXS.WRONG".to_owned());
    connect(&mut transcript, &fake, "a wrong key: another dialect may know it", Some("app1"));
    transcript
        .section("a wrong key by HTTP")
        .decision(&Tts::handle_request(&fake, &call("GET", "/devices/dev1/down", "")));
    for filter in ["#", "v3/#", "v3/+/devices/+/up", "v3/app2/#", "+/#", "$SYS/#"] {
        let asked = Subscription { filter: filter.to_owned(), qos: 1 };
        transcript.line(&format!("{filter} becomes {:?}", Tts::on_subscribe(&fake, &client(), &asked).unwrap()));
    }
    transcript.check("tests/golden/rights.txt");
}

#[test]
fn what_is_not_ours_is_left_alone() {
    let fake = gateway();
    let mut record = submitted(&fake, PUSH, ITEM).0.remove(0);
    let lines = [line("queued", State::Queued, 0, &[])];
    let follower = dragoman_plugin_sdk::Follower { session: "s".to_owned(), tag: "t".to_owned() };
    Tts::on_transitions(&fake, &record, &lines, 1, &[follower]).unwrap();
    record.context = None;
    Tts::on_transitions(&fake, &record, &lines, 1, &[]).unwrap();
    record.context = Some(r#"{"other":1}"#.to_owned());
    Tts::on_transitions(&fake, &record, &lines, 1, &[]).unwrap();
    assert_eq!(published(&fake), []);
    assert!(Tts::answered(&fake, "{}", &[]).is_err());
    assert!(<Tts as Northbound>::settled(&fake, "no context", &[]).is_err());
    assert_eq!(fake.settings(), "{}");
}
