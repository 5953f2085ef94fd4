//! Credentials of the applications of the tests, as the operator makes them.

use crate::admin::Admin;
use crate::devices::secret;
use crate::lamps::Side;
use serde_json::json;

/// Account and secret of an application of Fleets with every right.
pub const FLEETS_KEY: (&str, &str) = ("ak_test", "fleets-secret-of-the-tests");
/// Account and token of an application of IoTDA.
pub const HUAWEI_TOKEN: (&str, &str) = ("tester", "huawei-token-of-the-tests");
/// An application of The Things Stack.
pub const TTS_APPLICATION: &str = "app1";
/// Its API key.
pub const TTS_KEY: &str = "tts-key-of-the-tests";
/// Login and password of a user of DeviceHive.
pub const DEVICEHIVE_USER: (&str, &str) = ("app", "devicehive-password-of-the-tests");
/// Id and secret of a key of Connio.
pub const CONNIO_KEY: (&str, &str) = ("_key_app", "connio-secret-of-the-tests");

/// Registers all of them, and the user as which the lamp of DeviceHive signs in.
///
/// # Errors
/// When one is refused.
pub async fn register(admin: &Admin) -> anyhow::Result<()> {
    let everything = json!({ "GET": ["/"], "POST": ["/"], "DELETE": ["/"] });
    let user = |id: u32| json!({ "id": id, "role": 1, "networks": ["*"], "deviceTypes": ["*"] });
    let lamp = Side::DeviceHive.id();
    let connio = json!({
        "context": { "type": "account", "ids": [] },
        "scope": ["device:read-data", "device:write-data", "device:execute"],
    });
    for (dialect, account, secret, rights) in [
        ("emqx-fleets", FLEETS_KEY.0, FLEETS_KEY.1, everything),
        ("huawei-iotda", HUAWEI_TOKEN.0, HUAWEI_TOKEN.1, json!({ "projects": "*" })),
        ("the-things-stack", TTS_APPLICATION, TTS_KEY, json!({ "rights": ["RIGHT_APPLICATION_ALL"] })),
        ("devicehive", DEVICEHIVE_USER.0, DEVICEHIVE_USER.1, user(2)),
        ("devicehive", lamp, &secret(lamp), user(3)),
        ("connio", CONNIO_KEY.0, CONNIO_KEY.1, connio),
    ] {
        admin.add_token(dialect, account, secret, &rights).await?;
    }
    Ok(())
}
