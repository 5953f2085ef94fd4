//! `PUT` and `GET /v5/iot/{project}/devices/{device}/properties`: set and query, as synchronous as a command.

use crate::answer::{ApiError, Failure};
use crate::call;
use crate::command::{SERVICE_ID_CHARS_MAX, submit};
use crate::context::Call;
use crate::instant::basic;
use crate::settled::to_json;
use dragoman_plugin_sdk::http::Query;
use dragoman_plugin_sdk::{Decision, Error, Gateway, Intent, Property, Request, json};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// The path of both calls.
pub(crate) const PATH: &str = "/v5/iot/{project}/devices/{device}/properties";

/// Properties of one call.
const PROPERTIES_MAX: usize = 512;
/// Bytes of a property's name.
const NAME_BYTES_MAX: usize = 256;

/// The answer to both.
#[derive(Serialize)]
pub(crate) struct Answer {
    pub(crate) request_id: String,
    pub(crate) response: Box<RawValue>,
}

/// Submits the values and waits for the device's answer.
pub(crate) fn put(gateway: &impl Gateway, request: &Request) -> Result<Decision, Failure> {
    let (device_id, rest) = call::authorized(gateway, request, PATH)?;
    let properties = read(call::text(request)?)?;
    let target = call::target(gateway, device_id, rest)?;
    let call = Call::SetProperties(gateway.new_id());
    submit(gateway, request, &target.device.id, Intent::Write(properties), call)
}

/// Asks for the properties of a service and waits for the device's answer. The intent asks for all, because it has no
/// word for a whole service; which one stands in the context, and a device of this platform is asked for that.
pub(crate) fn get(gateway: &impl Gateway, request: &Request) -> Result<Decision, Failure> {
    let (device_id, rest) = call::authorized(gateway, request, PATH)?;
    let query =
        Query::parse(&request.query).ok_or_else(|| ApiError::input("The query is not percent-encoded UTF-8."))?;
    let service = query.first("service_id").filter(|service| service.chars().count() <= SERVICE_ID_CHARS_MAX);
    let service = service.ok_or_else(|| {
        ApiError::input(&format!("service_id must be a string of 1 to {SERVICE_ID_CHARS_MAX} characters."))
    })?;
    let target = call::target(gateway, device_id, rest)?;
    let call = Call::GetProperties(gateway.new_id(), service.to_owned());
    submit(gateway, request, &target.device.id, Intent::Read(Vec::new()), call)
}

fn read(text: &str) -> Result<Vec<Property>, ApiError> {
    #[derive(Deserialize)]
    struct Body {
        #[serde(default)]
        services: Vec<Service>,
    }
    #[derive(Deserialize)]
    struct Service {
        #[serde(default)]
        service_id: Value,
        #[serde(default)]
        properties: BTreeMap<String, Box<RawValue>>,
    }
    let body: Body = call::parse(text)?;
    let mut properties = Vec::new();
    for service in body.services {
        let id = call::optional_text(&service.service_id, "service_id", SERVICE_ID_CHARS_MAX)?
            .ok_or_else(|| ApiError::input("service_id is missing in services."))?;
        if service.properties.is_empty() {
            return Err(ApiError::input(&format!(
                "The properties of service {id} must be a JSON object with members."
            )));
        }
        for (name, value) in service.properties {
            if name.is_empty() || name.len() > NAME_BYTES_MAX {
                return Err(ApiError::input(&format!("The name of a property has 1 to {NAME_BYTES_MAX} bytes.")));
            }
            properties.push(Property { service: Some(id.clone()), name, value: value.get().to_owned() });
        }
    }
    if properties.is_empty() || properties.len() > PROPERTIES_MAX {
        return Err(ApiError::input(&format!("services must have 1 to {PROPERTIES_MAX} properties.")));
    }
    if properties.iter().map(|property| property.name.len() + property.value.len()).sum::<usize>()
        > json::EMBEDDED_BYTES_MAX
    {
        return Err(ApiError::input(&format!("services must be at most {} bytes.", json::EMBEDDED_BYTES_MAX)));
    }
    Ok(properties)
}

/// The response to a set for a device that did not word it itself.
pub(crate) fn set(result_code: i32, result_desc: &str) -> Result<Box<RawValue>, Error> {
    #[derive(Serialize)]
    struct Response<'a> {
        result_code: i32,
        result_desc: &'a str,
    }
    to_json(&Response { result_code, result_desc })
}

/// The response to a query for a device that did not word it itself: of `{"service": {"name": value}}` that service, of
/// `{"name": value}` all.
pub(crate) fn got(result: Option<&str>, service: &str, now_ms: u64) -> Result<Box<RawValue>, Error> {
    #[derive(Serialize)]
    struct Response<'a> {
        services: [Service<'a>; 1],
    }
    #[derive(Serialize)]
    struct Service<'a> {
        service_id: &'a str,
        properties: Box<RawValue>,
        event_time: String,
    }
    let whole = result.map(json::raw).filter(|whole| json::is_object(whole)).unwrap_or_else(|| json::raw("{}"));
    let members: BTreeMap<String, Box<RawValue>> = json::parse_object(whole.get()).unwrap_or_default();
    let of_service = members.get(service).filter(|member| json::is_object(member)).cloned();
    let properties = of_service.unwrap_or(whole);
    to_json(&Response { services: [Service { service_id: service, properties, event_time: basic(now_ms) }] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_read_or_refused_with_the_platforms_code() {
        let large = format!(r#"{{"services":[{{"service_id":"T","properties":{{"v":"{}"}}}}]}}"#, "x".repeat(258_048));
        let long = format!(r#"{{"services":[{{"service_id":"{}","properties":{{"v":1}}}}]}}"#, "s".repeat(65));
        let many: Vec<_> = (0..513).map(|index| format!("\"p{index}\":1")).collect();
        let many = format!(r#"{{"services":[{{"service_id":"T","properties":{{{}}}}}]}}"#, many.join(","));
        for (text, code) in [
            ("", "IOTDA.000008"),
            (r#"{"services":["#, "IOTDA.000008"),
            ("[]", "IOTDA.000006"),
            ("{}", "IOTDA.000006"),
            (r#"{"services":[]}"#, "IOTDA.000006"),
            (r#"{"services":{}}"#, "IOTDA.000006"),
            (r#"{"services":[7]}"#, "IOTDA.000006"),
            (r#"{"services":[{"properties":{"v":1}}]}"#, "IOTDA.000006"),
            (r#"{"services":[{"service_id":7,"properties":{"v":1}}]}"#, "IOTDA.000006"),
            (r#"{"services":[{"service_id":"T"}]}"#, "IOTDA.000006"),
            (r#"{"services":[{"service_id":"T","properties":{}}]}"#, "IOTDA.000006"),
            (r#"{"services":[{"service_id":"T","properties":[1]}]}"#, "IOTDA.000006"),
            (r#"{"services":[{"service_id":"T","properties":{"":1}}]}"#, "IOTDA.000006"),
            (&long, "IOTDA.000006"),
            (&large, "IOTDA.000006"),
            (&many, "IOTDA.000006"),
        ] {
            assert_eq!(read(text).unwrap_err().code, code, "{text:.80}");
        }
        let read =
            read(r#"{"services":[{"service_id":"T","properties":{"v": 57.50,"a":[1]},"event_time":null}]}"#).unwrap();
        let all: Vec<_> = read.iter().map(|p| (p.service.as_deref(), p.name.as_str(), p.value.as_str())).collect();
        assert_eq!(all, [(Some("T"), "a", "[1]"), (Some("T"), "v", "57.50")]);
    }

    #[test]
    fn what_another_dialect_read_is_worded_as_a_service() {
        let text = |result: Option<&str>| got(result, "T", 0).unwrap().get().to_owned();
        let answer = |properties: &str| {
            format!(
                r#"{{"services":[{{"service_id":"T","properties":{properties},"event_time":"19700101T000000Z"}}]}}"#
            )
        };
        assert_eq!(text(Some(r#"{"T":{"v":1.50},"U":{"w":2}}"#)), answer(r#"{"v":1.50}"#));
        assert_eq!(text(Some(r#"{"v":1}"#)), answer(r#"{"v":1}"#));
        assert_eq!(text(Some("[1]")), answer("{}"));
        assert_eq!(text(None), answer("{}"));
    }
}
