//! Pages of long lists: every item once, in order, and a named refusal where a page would cost too much.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use dragoman_plugin_sdk::testing::{Fake, execution, request};
use dragoman_plugin_sdk::{Decision, Intent, Invocation, Northbound, Payload, Presented, Submission};
use emqx_fleets::{Fleets, NAME};
use serde_json::Value;

fn gateway() -> Fake {
    let mut fake = Fake { presented: Some("secret".to_owned()), ..Fake::default() };
    fake.accounts.insert("ak_test".to_owned(), ("secret".to_owned(), r#"{"GET":["/"]}"#.to_owned()));
    fake
}

fn get(fake: &Fake, target: &str) -> (u16, Value) {
    let mut request = request("GET", target, "");
    request.presented = Some(Presented { scheme: "basic".to_owned(), account: Some("ak_test".to_owned()) });
    let Ok(Decision::Respond(response)) = Fleets::handle_request(fake, &request) else { panic!("an answer") };
    let Payload::Text(body) = response.body else { panic!("text") };
    (response.status, serde_json::from_str(&body).unwrap())
}

fn with_executions(count: usize, params: &str) -> Fake {
    let mut fake = gateway();
    let invocation = Invocation { service: None, action: "a".to_owned(), params: params.to_owned() };
    for number in 0..count {
        let command = Submission::new("d", Intent::Invoke(invocation.clone()));
        fake.executions.push(execution(&format!("e-{number:03}"), NAME, command, 0));
    }
    fake
}

#[test]
fn pages_of_executions_give_each_once_newest_first() {
    let fake = with_executions(130, "{}");
    let mut seen = Vec::new();
    for page in 1.. {
        let (status, answer) = get(&fake, &format!("/api/v1/commands?limit=40&page={page}"));
        assert_eq!((status, answer["meta"]["count"].as_u64()), (200, Some(130)));
        let ids =
            answer["data"].as_array().unwrap().iter().map(|item| item["executionId"].as_str().unwrap().to_owned());
        seen.extend(ids);
        if answer["meta"]["hasnext"] == false {
            break;
        }
    }
    let expected: Vec<_> = (0..130).rev().map(|number| format!("e-{number:03}")).collect();
    assert_eq!(seen, expected);
    let (_, beyond) = get(&fake, "/api/v1/commands?limit=40&page=5");
    assert_eq!(beyond["data"].as_array().map(Vec::len), Some(0));
}

#[test]
fn a_page_that_is_too_large_is_refused() {
    let fake = with_executions(30, &format!(r#"{{"x":"{}"}}"#, "y".repeat(200_000)));
    assert_eq!(get(&fake, "/api/v1/commands?limit=10").0, 200);
    let (status, answer) = get(&fake, "/api/v1/commands?limit=30");
    assert_eq!((status, answer["code"].as_str()), (400, Some("BAD_REQUEST")), "{:.200}", answer.to_string());
}

#[test]
fn things_are_found_among_devices_that_are_none() {
    let fake = gateway();
    for number in 0..600 {
        let name = format!("t-{number:04}");
        let alias = if number % 3 == 0 { ("fleets.name", name.as_str()) } else { ("huawei.id", name.as_str()) };
        fake.add_device(&format!("d-{number:04}"), "any", &[alias]);
    }
    let mut seen = Vec::new();
    for page in 1.. {
        let (status, answer) = get(&fake, &format!("/api/v1/things?limit=90&page={page}"));
        assert_eq!(status, 200);
        seen.extend(answer["data"].as_array().unwrap().iter().map(|thing| thing["name"].as_str().unwrap().to_owned()));
        if answer["meta"]["hasnext"] == false {
            assert_eq!(answer["meta"]["count"], 200);
            break;
        }
        assert_eq!(answer["meta"]["count"], Value::Null);
    }
    let expected: Vec<_> = (0..200).map(|number| format!("t-{:04}", number * 3)).collect();
    assert_eq!(seen, expected);
}

#[test]
fn a_search_through_too_many_devices_is_refused() {
    let fake = gateway();
    for number in 0..2_000 {
        fake.add_device(&format!("d-{number:04}"), "any", &[]);
    }
    let (status, answer) = get(&fake, "/api/v1/things");
    assert_eq!(status, 400);
    assert_eq!(answer["message"], "more than 2000 devices would have to be read; ask by tagName or by name");
}
