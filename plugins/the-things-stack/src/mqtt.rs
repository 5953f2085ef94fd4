//! What applications publish.

use crate::context::Reply;
use crate::downlink::{BadBody, Downlink, read_all};
use crate::error::Failure;
use crate::lenient::without_trailing_comma;
use crate::settings::Settings;
use crate::topic::downlink_topic;
use crate::{push, queue};
use dragoman_plugin_sdk::http::body_text;
use dragoman_plugin_sdk::{Error, Gateway, Message, Session, Severity, Wait};

/// Documents that say which applications were told that their JSON has a comma too many.
const WARNED: &str = "warned-of-trailing-comma";

/// Takes a push or a replacement. MQTT has no word for a refusal: what is wrong is a line in the log.
pub(crate) fn handle(gateway: &impl Gateway, session: &Session, message: &Message) -> Result<Option<Wait>, Error> {
    match take(gateway, session, message) {
        Ok(wait) => Ok(wait),
        Err(Failure::Answer(error)) => {
            let text = format!(
                "dropped what client {} published on {}: {}",
                session.client_id,
                message.topic,
                error.message()
            );
            gateway.log(Severity::Info, &text);
            Ok(None)
        }
        Err(Failure::Fault(error)) => Err(error),
    }
}

fn take(gateway: &impl Gateway, session: &Session, message: &Message) -> Result<Option<Wait>, Failure> {
    let own = downlink_topic(&message.topic).filter(|(uid, ..)| session.principal == Some(uid.to_string()));
    let Some((uid, device_id, operation)) = own else {
        gateway.log(Severity::Debug, &format!("nothing to do for a message on {}", message.topic));
        return Ok(None);
    };
    let text = body_text(&message.payload).ok_or_else(|| crate::error::broken_body("it is not UTF-8"))?;
    let downlinks = read(gateway, &uid.to_string(), text)?;
    push::begin(gateway, (&uid, device_id), operation, Reply::Silence, downlinks)
}

/// The platform's own first example has a trailing comma, so one is accepted here; HTTP stays strict.
fn read(gateway: &impl Gateway, uid: &str, text: &str) -> Result<Vec<Downlink>, Failure> {
    let refused = |bad: BadBody| match bad {
        BadBody::Json(why) => crate::error::broken_body(&why),
        BadBody::Item(error) => error,
    };
    let items_max = queue::items_max(&Settings::read(gateway)?);
    let bad = match read_all(text, items_max) {
        Ok(downlinks) => return Ok(downlinks),
        Err(bad) => bad,
    };
    let mended = without_trailing_comma(text).filter(|_| matches!(bad, BadBody::Json(_)));
    let Some(downlinks) = mended.and_then(|text| read_all(&text, items_max).ok()) else {
        return Err(refused(bad).into());
    };
    if gateway.document(WARNED, uid).is_none() {
        gateway.put_document(WARNED, uid, "{}", 0)?;
        let text =
            format!("application {uid} publishes JSON with a trailing comma; it is accepted here, and not over HTTP");
        gateway.log(Severity::Warn, &text);
    }
    Ok(downlinks)
}
