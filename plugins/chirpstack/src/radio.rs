//! Radio facts of an uplink, from ChirpStack's words (`gw.UplinkRxInfo`, `gw.UplinkTxInfo`) into those that application
//! sides of LoRaWAN networks show.

use serde::{Deserialize, Serialize};

/// Gateways of one uplink that are kept.
const GATEWAYS_MAX: usize = 16;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct RxInfo {
    gateway_id: String,
    #[serde(alias = "gwTime")]
    time: Option<String>,
    rssi: Option<i64>,
    snr: Option<f64>,
    channel: Option<u32>,
    location: Option<Location>,
    context: Option<String>,
}

/// A place, as ChirpStack writes it and as it is shown.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Location {
    latitude: f64,
    longitude: f64,
    #[serde(skip_serializing_if = "is_zero")]
    altitude: f64,
    #[serde(skip_serializing_if = "is_zero")]
    accuracy: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
}

impl Location {
    /// With its source in the words of applications; `None` for the place of what has no place.
    pub(crate) fn worded(mut self) -> Option<Self> {
        self.source = self.source.as_deref().and_then(source).map(str::to_owned);
        (!is_zero(&self.latitude) || !is_zero(&self.longitude)).then_some(self)
    }
}

fn source(of: &str) -> Option<&'static str> {
    Some(match of {
        "GPS" => "SOURCE_GPS",
        "CONFIG" => "SOURCE_REGISTRY",
        "GEO_RESOLVER_TDOA" => "SOURCE_LORA_TDOA_GEOLOCATION",
        "GEO_RESOLVER_RSSI" => "SOURCE_LORA_RSSI_GEOLOCATION",
        "GEO_RESOLVER_GNSS" => "SOURCE_COMBINED_GEOLOCATION",
        "GEO_RESOLVER_WIFI" => "SOURCE_WIFI_RSSI_GEOLOCATION",
        _ => return None,
    })
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct TxInfo {
    frequency: u64,
    modulation: Modulation,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Modulation {
    lora: Option<Lora>,
    fsk: Option<Fsk>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Lora {
    bandwidth: u64,
    spreading_factor: u64,
    code_rate: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Fsk {
    datarate: u64,
}

#[derive(Serialize)]
struct Metadata {
    gateway_ids: GatewayIds,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rssi: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel_rssi: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    snr: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<Location>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uplink_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel_index: Option<u32>,
}

#[derive(Serialize)]
struct GatewayIds {
    gateway_id: String,
    eui: String,
}

#[derive(Serialize)]
struct Settings {
    data_rate: DataRate,
    #[serde(skip_serializing_if = "Option::is_none")]
    coding_rate: Option<String>,
    /// 64-bit numbers are strings.
    frequency: String,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum DataRate {
    Lora {
        bandwidth: u64,
        spreading_factor: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        coding_rate: Option<String>,
    },
    Fsk {
        bit_rate: u64,
    },
}

/// JSON of `lorawan.rx-metadata`; `None` where no gateway is named.
pub(crate) fn rx_metadata(all: &[RxInfo]) -> Option<String> {
    let metadata = |info: &RxInfo| Metadata {
        gateway_ids: GatewayIds {
            gateway_id: format!("eui-{}", info.gateway_id),
            eui: info.gateway_id.to_ascii_uppercase(),
        },
        time: info.time.clone(),
        rssi: info.rssi,
        channel_rssi: info.rssi,
        snr: info.snr,
        location: info.location.clone().and_then(Location::worded),
        uplink_token: info.context.clone().filter(|context| !context.is_empty()),
        channel_index: info.channel.filter(|channel| *channel > 0),
    };
    let known: Vec<_> =
        all.iter().filter(|info| !info.gateway_id.is_empty()).take(GATEWAYS_MAX).map(metadata).collect();
    if known.is_empty() { None } else { serde_json::to_string(&known).ok() }
}

/// JSON of `lorawan.settings`; `None` for a modulation that is not known.
pub(crate) fn settings(tx: &TxInfo) -> Option<String> {
    let (data_rate, coding_rate) = match &tx.modulation {
        Modulation { lora: Some(lora), .. } => {
            let coding_rate = coding_rate(&lora.code_rate);
            let (bandwidth, spreading_factor) = (lora.bandwidth, lora.spreading_factor);
            (DataRate::Lora { bandwidth, spreading_factor, coding_rate: coding_rate.clone() }, coding_rate)
        }
        Modulation { fsk: Some(fsk), .. } => (DataRate::Fsk { bit_rate: fsk.datarate }, None),
        _ => return None,
    };
    serde_json::to_string(&Settings { data_rate, coding_rate, frequency: tx.frequency.to_string() }).ok()
}

/// `CR_4_5` is `4/5`.
fn coding_rate(name: &str) -> Option<String> {
    let (above, below) = name.strip_prefix("CR_")?.split_once('_')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (is_number(above) && is_number(below)).then(|| format!("{above}/{below}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn radio_facts_are_worded_anew() {
        let rx: Vec<RxInfo> = serde_json::from_str(
            r#"[{"gatewayId":"0242020000247803","uplinkId":7,"gwTime":"2019-01-29T13:02:34.981Z","rssi":-35,"snr":5.0,
                "channel":2,"rfChain":1,"location":{"latitude":52.1,"longitude":4.5,"altitude":0.0,"source":"GPS","accuracy":0.0},"context":"AQID",
                "crcStatus":"CRC_OK","metadata":{"region":"eu868"}},{"gatewayId":""}]"#,
        )
        .unwrap();
        assert_eq!(
            rx_metadata(&rx).as_deref(),
            Some(
                r#"[{"gateway_ids":{"gateway_id":"eui-0242020000247803","eui":"0242020000247803"},"time":"2019-01-29T13:02:34.981Z","rssi":-35,"channel_rssi":-35,"snr":5.0,"location":{"latitude":52.1,"longitude":4.5,"source":"SOURCE_GPS"},"uplink_token":"AQID","channel_index":2}]"#
            )
        );
        assert_eq!(rx_metadata(&[]), None);
        for (text, expected) in [
            (
                r#"{"frequency":868500000,"modulation":{"lora":{"bandwidth":125000,"spreadingFactor":7,"codeRate":"CR_4_6","polarizationInversion":false}}}"#,
                Some(
                    r#"{"data_rate":{"lora":{"bandwidth":125000,"spreading_factor":7,"coding_rate":"4/6"}},"coding_rate":"4/6","frequency":"868500000"}"#,
                ),
            ),
            (
                r#"{"frequency":868800000,"modulation":{"fsk":{"frequencyDeviation":25000,"datarate":50000}}}"#,
                Some(r#"{"data_rate":{"fsk":{"bit_rate":50000}},"frequency":"868800000"}"#),
            ),
            (r#"{"frequency":868800000,"modulation":{"lrFhss":{}}}"#, None),
            ("{}", None),
        ] {
            let tx: TxInfo = serde_json::from_str(text).unwrap();
            assert_eq!(settings(&tx).as_deref(), expected, "{text}");
        }
        assert_eq!(coding_rate("CR_UNDEFINED"), None);
    }
}
