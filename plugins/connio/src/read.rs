//! Reads over HTTP: `GET /v3/data/devices/{ref}`, `…/state` and `…/properties/{property}`. All come from the store.

use crate::answer::{Failure, bad_parameter, forbidden, not_found};
use crate::definition::{Access, CONNECTION_STATUS, Model, Property, is_same_name};
use crate::dispatch::connection_status;
use crate::key::Caller;
use crate::settings::Settings;
use crate::store::{self, Entry, Ledger};
use crate::{ID_ALIAS, NAME_ALIAS, value};
use dragoman_plugin_sdk::http::{Query, json_response};
use dragoman_plugin_sdk::{Decision, Device, Gateway, Request, attribute, json, time};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;
use serde_json::{Value, json as object};

/// Bytes of the values in one answer; the gateway takes 4 MiB.
const VALUES_BYTES_MAX: usize = 3 << 20;

/// Members in order, their values as they were written.
struct Flat(Vec<(String, Box<RawValue>)>);

impl Serialize for Flat {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// The header and all current values as one flat object.
pub(crate) fn device(gateway: &impl Gateway, caller: &Caller, device: &Device) -> Result<Decision, Failure> {
    let settings = Settings::read(gateway)?;
    let model = Model::of(&settings, device)?;
    let mut members = header(device);
    for (property, entry) in values(gateway, caller, &model, device)? {
        members.push((property.name, json::raw(&entry.value)));
    }
    Ok(Decision::Respond(json_response(200, &Flat(members))))
}

fn header(device: &Device) -> Vec<(String, Box<RawValue>)> {
    let text = |text: Option<&str>| json::raw(&Value::from(text).to_string());
    vec![
        ("id".to_owned(), text(Some(id(device)))),
        ("name".to_owned(), text(attribute(&device.aliases, NAME_ALIAS))),
        (CONNECTION_STATUS.to_owned(), connection_status(device)),
    ]
}

/// The platform's id; the gateway's where the operator gave none.
fn id(device: &Device) -> &str {
    attribute(&device.aliases, ID_ALIAS).unwrap_or(&device.id)
}

/// What is stored and may be seen, by name.
fn values(
    gateway: &impl Gateway,
    caller: &Caller,
    model: &Model,
    device: &Device,
) -> Result<Vec<(Property, Entry)>, Failure> {
    let stored = store::all(gateway, &device.id)?;
    if stored.iter().map(|stored| stored.entry.value.len()).sum::<usize>() > VALUES_BYTES_MAX {
        return Err(bad_parameter("properties", "The values together have more than 3 MiB; read them one by one."));
    }
    let found = stored.into_iter().filter_map(|stored| Some((model.property(&stored.entry.name).ok()?, stored.entry)));
    Ok(found.filter(|(property, _)| may_read(caller, property)).collect())
}

fn may_read(caller: &Caller, property: &Property) -> bool {
    matches!(caller, Caller::Device(_)) || property.definition.access != Access::Private
}

/// `{"sampleSize", "results": [{"ref", "values": [{"t", "v"}]}]}` with the newest value. No history is kept, so what the
/// query asks of one is not looked at.
pub(crate) fn property(
    gateway: &impl Gateway,
    caller: &Caller,
    device: &Device,
    asked: &str,
) -> Result<Decision, Failure> {
    let settings = Settings::read(gateway)?;
    let model = Model::of(&settings, device)?;
    let (name, property_id, values) = if is_same_name(asked, CONNECTION_STATUS) {
        let point = DataPoint { t: time::rfc3339(gateway.now_ms()), v: connection_status(device) };
        (CONNECTION_STATUS.to_owned(), None, vec![point])
    } else {
        let property = model.property(asked).map_err(|_| not_found(asked))?;
        if !may_read(caller, &property) {
            return Err(forbidden(asked, "The property is private."));
        }
        let mut ledger = Ledger::new(gateway, &device.id);
        let current = ledger.current(&property.key())?;
        let values = current.map(|entry| DataPoint { t: time::rfc3339(entry.at_ms), v: json::raw(&entry.value) });
        (property.name, property.definition.id, values.into_iter().collect())
    };
    let answer = Sample {
        sample_size: values.len(),
        results: [Series {
            of: object!({"id": property_id, "qname": model.qualified(&name), "objectId": id(device)}),
            values,
        }],
    };
    Ok(Decision::Respond(json_response(200, &answer)))
}

#[derive(serde::Serialize)]
struct Sample {
    #[serde(rename = "sampleSize")]
    sample_size: usize,
    results: [Series; 1],
}

#[derive(serde::Serialize)]
struct Series {
    #[serde(rename = "ref")]
    of: Value,
    values: Vec<DataPoint>,
}

#[derive(serde::Serialize)]
struct DataPoint {
    t: String,
    v: Box<RawValue>,
}

/// Header, properties and methods. `header` is there unless `header=false`, `meta` with `meta=true`.
pub(crate) fn state(
    gateway: &impl Gateway,
    request: &Request,
    caller: &Caller,
    device: &Device,
) -> Result<Decision, Failure> {
    let query = Query::parse(&request.query)
        .ok_or_else(|| bad_parameter("query", "The query is not percent-encoded UTF-8."))?;
    let settings = Settings::read(gateway)?;
    let model = Model::of(&settings, device)?;
    let with_meta = query.first("meta") == Some("true");
    let mut stored = values(gateway, caller, &model, device)?;
    let mut properties = Vec::new();
    for property in model.properties().iter().filter(|property| may_read(caller, property)) {
        let place = stored.iter().position(|(known, _)| is_same_name(&known.name, &property.name));
        let entry = place.map(|place| stored.remove(place).1);
        properties.push(property_state(&model, property, entry.as_ref(), with_meta));
    }
    for (property, entry) in &stored {
        properties.push(property_state(&model, property, Some(entry), with_meta));
    }
    let methods = model.methods().iter().filter(|(_, method)| method.access != Access::Private);
    let methods: Vec<_> =
        methods.map(|(name, method)| object!({"ref": {"id": method.id, "qname": model.qualified(name)}})).collect();
    let state = State {
        header: (query.first("header") != Some("false")).then(|| Flat(header(device))),
        properties,
        methods,
        alerts: Vec::new(),
    };
    Ok(Decision::Respond(json_response(200, &state)))
}

#[derive(serde::Serialize)]
struct State {
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<Flat>,
    properties: Vec<PropertyState>,
    methods: Vec<Value>,
    /// Alerts are not carried.
    alerts: Vec<Value>,
}

#[derive(serde::Serialize)]
struct PropertyState {
    #[serde(rename = "ref")]
    of: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    meta: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<MostRecent>,
}

#[derive(serde::Serialize)]
struct MostRecent {
    #[serde(rename = "mostRecent")]
    most_recent: Box<RawValue>,
    time: String,
}

fn property_state(model: &Model, property: &Property, entry: Option<&Entry>, with_meta: bool) -> PropertyState {
    let definition = &property.definition;
    PropertyState {
        of: object!({"id": definition.id, "qname": model.qualified(&property.name)}),
        meta: with_meta.then(|| object!({"name": property.name, "type": value::name(definition.kind)})),
        value: entry.map(|entry| MostRecent { most_recent: json::raw(&entry.value), time: time::rfc3339(entry.at_ms) }),
    }
}
