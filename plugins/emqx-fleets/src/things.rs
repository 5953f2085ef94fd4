//! `/api/v1/things`: create, get, list.

use crate::answer::{Failure, bad_request, conflict, error_response, not_found};
use crate::list::{Listing, Meta, Paging};
use crate::thing::{CLIENT_ID_ALIAS, ID_ALIAS, NAME_ALIAS, Profile, TAG_LABEL, Thing, View};
use dragoman_plugin_sdk::http::{Query, body_text, json_response};
use dragoman_plugin_sdk::route::{is_topic_level, path_captures};
use dragoman_plugin_sdk::time::rfc3339;
use dragoman_plugin_sdk::{Error, Gateway, Registration, Request, Response, json};
use serde::Deserialize;
use serde_json::Value;

/// Methods and paths that this file answers.
pub(crate) const ROUTES: &[(&str, &str)] =
    &[("POST", "/api/v1/things"), ("GET", "/api/v1/things"), ("GET", "/api/v1/things/{id}")];

/// Characters of a name, a client id or a thing type: the platform's limit.
const NAME_CHARS_MAX: usize = 255;
/// Bytes of the same in UTF-8: the gateway takes topic filters and aliases of 512, and a filter has more than the name.
const NAME_BYTES_MAX: usize = 400;
const TAGS_MAX: usize = 32;
const TAG_BYTES_MAX: usize = 128;
/// Devices that one call reads at most to find the things of a page.
const SCAN_MAX: usize = 2_000;
/// Devices that are read at once.
const SCAN_STEP: usize = 250;

/// Answers a call about things; `None` where the call is about something else.
pub(crate) fn handle(gateway: &impl Gateway, request: &Request) -> Result<Option<Response>, Failure> {
    if !request.path.starts_with("/api/v1/things") {
        return Ok(None);
    }
    let response = match request.method.as_str() {
        "POST" => create(gateway, request)?,
        _ if request.path == "/api/v1/things" => list(gateway, request)?,
        _ => get(gateway, request)?,
    };
    Ok(Some(response))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewThing {
    #[serde(default)]
    name: Value,
    #[serde(default)]
    mqtt_client_id: Value,
    #[serde(default)]
    thing_type_id: Value,
    #[serde(default)]
    tags: Value,
}

fn create(gateway: &impl Gateway, request: &Request) -> Result<Response, Failure> {
    let (name, profile) = read_new(body_text(&request.body).unwrap_or_default())?;
    let client_id = profile.mqtt_client_id.clone().unwrap_or_default();
    if gateway.resolve(NAME_ALIAS, &name).is_some() {
        return Err(conflict(format!("a thing named {name} already exists")));
    }
    if gateway.resolve(CLIENT_ID_ALIAS, &client_id).is_some() {
        return Err(conflict(format!("a thing with mqttClientId {client_id} already exists")));
    }
    let id = gateway.new_id();
    let registration = Registration {
        id: None,
        handler: None,
        parent: None,
        aliases: vec![
            (NAME_ALIAS.to_owned(), name.clone()),
            (ID_ALIAS.to_owned(), id.clone()),
            (CLIENT_ID_ALIAS.to_owned(), client_id),
        ],
        labels: profile.tags.iter().map(|tag| (TAG_LABEL.to_owned(), tag.clone())).collect(),
        profile: serde_json::to_string(&profile).map_err(|error| Error::Internal(error.to_string()))?,
    };
    gateway.register(&registration).map_err(|error| match error {
        Error::Conflict(text) => conflict(text),
        Error::Invalid(text) => bad_request(text),
        Error::Limit(text) => Failure::Answer(error_response(429, "TOO_MANY_REQUESTS", &text)),
        error => Failure::Fault(error),
    })?;
    let created = View {
        id: &id,
        name: &name,
        mqtt_client_id: profile.mqtt_client_id,
        thing_type_id: profile.thing_type_id,
        tags: profile.tags,
        status: "offline",
        created_at: rfc3339(gateway.now_ms()),
    };
    Ok(json_response(201, &created))
}

fn read_new(body: &str) -> Result<(String, Profile), Failure> {
    let new: NewThing = json::parse_object(body)
        .map_err(|broken| bad_request(format!("the body must be a JSON object: {}", broken.text())))?;
    let fits = |text: &&str| (1..=NAME_CHARS_MAX).contains(&text.chars().count()) && text.len() <= NAME_BYTES_MAX;
    let text = |value: &Value| value.as_str().filter(fits).map(str::to_owned);
    let limits = format!("a string of 1 to {NAME_CHARS_MAX} characters and at most {NAME_BYTES_MAX} bytes");
    // The name becomes a level of topics, which a `/` would split and a wildcard would widen.
    let name = text(&new.name)
        .filter(|name| is_topic_level(name))
        .ok_or_else(|| bad_request(format!("name must be {limits}, without / + # and NUL")))?;
    let client_id = text(&new.mqtt_client_id)
        .filter(|id| !id.contains('\0'))
        .ok_or_else(|| bad_request(format!("mqttClientId must be {limits}, without NUL")))?;
    let thing_type_id = match &new.thing_type_id {
        Value::Null => None,
        value => Some(text(value).ok_or_else(|| bad_request(format!("thingTypeId must be {limits}")))?),
    };
    let tags = read_tags(&new.tags).ok_or_else(|| {
        bad_request(format!("tags must be a list of at most {TAGS_MAX} strings of 1 to {TAG_BYTES_MAX} bytes"))
    })?;
    Ok((name, Profile { mqtt_client_id: Some(client_id), thing_type_id, tags }))
}

fn read_tags(value: &Value) -> Option<Vec<String>> {
    let items = match value {
        Value::Null => return Some(Vec::new()),
        Value::Array(items) if items.len() <= TAGS_MAX => items,
        _ => return None,
    };
    let mut tags: Vec<String> = Vec::with_capacity(items.len());
    for item in items {
        let tag = item.as_str().filter(|tag| (1..=TAG_BYTES_MAX).contains(&tag.len()))?;
        if !tags.iter().any(|known| known == tag) {
            tags.push(tag.to_owned());
        }
    }
    Some(tags)
}

fn get(gateway: &impl Gateway, request: &Request) -> Result<Response, Failure> {
    let found = path_captures("/api/v1/things/{id}", &request.path)
        .and_then(|captures| captures.into_iter().next())
        .and_then(|id| Thing::find(gateway, &id));
    match found {
        Some(thing) => Ok(json_response(200, &thing.view())),
        None => Err(not_found("there is no such thing")),
    }
}

/// Things are found by reading devices in the order of their ids, because devices of other dialects that carry a Fleets
/// name are things too. `count` is told where the end was reached on the way.
fn list(gateway: &impl Gateway, request: &Request) -> Result<Response, Failure> {
    let query = Query::parse(&request.query).ok_or_else(|| bad_request("the query is not percent-encoded UTF-8"))?;
    let paging = Paging::read(&query)?;
    let labels: Vec<_> = query.first("tagName").map(|tag| (TAG_LABEL.to_owned(), tag.to_owned())).into_iter().collect();
    let (mut things, mut scanned, mut after) = (Vec::new(), 0, None::<String>);
    let ended = loop {
        // One thing behind the page is enough to know that there are more.
        let wanted = (paging.end() + 1 - things.len()).min(SCAN_STEP);
        let step = gateway.devices(&labels, after.as_deref(), u32::try_from(wanted).unwrap_or(u32::MAX));
        let Some(last) = step.last() else { break true };
        after = Some(last.id.clone());
        scanned += step.len();
        things.extend(step.into_iter().filter_map(Thing::of));
        if things.len() > paging.end() {
            break false;
        }
        if scanned >= SCAN_MAX {
            let message = format!("more than {SCAN_MAX} devices would have to be read; ask by tagName or by name");
            return Err(bad_request(message));
        }
    };
    let meta = Meta {
        page: paging.page,
        limit: paging.limit,
        count: u64::try_from(things.len()).ok().filter(|_| ended),
        hasnext: things.len() > paging.end(),
    };
    let data: Vec<_> = things.iter().skip(paging.start()).take(paging.limit).map(Thing::view).collect();
    Ok(json_response(200, &Listing { data, meta }))
}
