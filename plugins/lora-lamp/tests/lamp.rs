//! The handler through its roles: commands become bytes, bytes are read back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use dragoman_plugin_sdk::testing::Fake;
use dragoman_plugin_sdk::{
    Decoder, Delivery, Device, Direction, Error, Gateway, Handler, Intent, Invocation, Outcome, Payload, Property,
    Reason, Reply, Step,
};
use lora_lamp::LoraLamp;

fn lamp() -> Device {
    let fake = Fake::default();
    fake.add_device("lamp-1", "chirpstack", &[]);
    fake.device("lamp-1").unwrap()
}

fn payload(bytes: &[u8], port: Option<&str>) -> Delivery {
    let attributes = port.map(|port| ("lorawan.f-port".to_owned(), port.to_owned())).into_iter().collect();
    Delivery { name: None, payload: Payload::Bytes(bytes.to_vec()), attributes }
}

#[test]
fn a_command_is_one_payload_and_ends_as_the_network_says() {
    let property = |name: &str, value: &str| Property { service: None, name: name.to_owned(), value: value.to_owned() };
    let set = Invocation { service: None, action: "set".to_owned(), params: r#"{"level":50}"#.to_owned() };
    for (intent, bytes) in [
        (Intent::Write(vec![property("switch", "true"), property("level", "50")]), vec![1, 1, 2, 50]),
        (Intent::Invoke(set), vec![2, 50]),
        (Intent::Read(Vec::new()), vec![0]),
    ] {
        let Step::Send(plan) = LoraLamp::start(&lamp(), &intent).unwrap() else { panic!("{intent:?}") };
        assert_eq!(plan.frames, [Intent::Deliver(payload(&bytes, Some("10")))]);
        let why = Reason { code: "LORAWAN_NACK".to_owned(), text: "no".to_owned(), detail: None };
        for outcome in [Outcome::Succeeded(None), Outcome::Failed(why)] {
            let reply = Reply::Outcome(outcome.clone());
            assert_eq!(LoraLamp::resume(&lamp(), &intent, &plan.state, &reply), Ok(Step::Finish(outcome)));
        }
    }
}

#[test]
fn bytes_pass_and_nonsense_is_refused_before_it_is_sent() {
    let given = Intent::Deliver(payload(&[0xbe, 0xef], Some("15")));
    let Step::Send(plan) = LoraLamp::start(&lamp(), &given).unwrap() else { panic!("it is sent") };
    assert_eq!(plan.frames, [given]);
    for action in ["reboot", "set"] {
        let intent = Intent::Invoke(Invocation { service: None, action: action.to_owned(), params: "{}".to_owned() });
        let Step::Finish(Outcome::Rejected(why)) = LoraLamp::start(&lamp(), &intent).unwrap() else {
            panic!("{action}")
        };
        assert_eq!(why.code, "INVALID_PARAMS");
    }
}

#[test]
fn each_direction_has_its_port() {
    let decode = |direction, port| LoraLamp::decode(&lamp(), direction, &payload(&[3, 0, 0xd7], port));
    assert_eq!(decode(Direction::Up, Some("11")).unwrap().value, r#"{"temperature":21.5}"#);
    assert!(decode(Direction::Up, None).is_ok());
    assert!(decode(Direction::Down, Some("10")).is_ok());
    assert!(matches!(decode(Direction::Up, Some("10")), Err(Error::Invalid(_))));
    assert!(matches!(decode(Direction::Down, Some("11")), Err(Error::Invalid(_))));
    let text = Delivery { name: None, payload: Payload::Text("\u{1}\u{1}".to_owned()), attributes: Vec::new() };
    assert_eq!(LoraLamp::decode(&lamp(), Direction::Up, &text).unwrap().value, r#"{"switch":true}"#);
}
