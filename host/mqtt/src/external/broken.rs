//! Why a connection ended, in words that say what to do.

use rumqttc::v5::mqttbytes::Error as CodecError;
use rumqttc::v5::mqttbytes::v5::{ConnectReturnCode, DisconnectReasonCode};
use rumqttc::v5::{ConnectionError, StateError};
use std::time::Duration;

/// The end of a connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Broken {
    /// No connection came about.
    #[error("{0}")]
    Unreachable(String),
    /// CONNACK said no, or offered what does not suffice.
    #[error("the broker refused the connection: {0}")]
    Refused(String),
    /// The broker said DISCONNECT.
    #[error("the broker ended the connection: {0}")]
    Ended(String),
    /// The socket closed or failed.
    #[error("the connection broke: {0}")]
    Lost(String),
    /// What the broker sent cannot be read, or is none that it may send. If its session sends it again, the next
    /// connection ends the same way.
    #[error("the broker sent what cannot be taken: {0}")]
    Unreadable(String),
    /// A PUBACK with a reason code that MQTT does not give to PUBACK, as mosquitto's 0x95 for a message that is too large
    /// for it. It is about a message of ours, and the library reads no further.
    #[error("the broker refused a message with reason code {0:#04x}, after which nothing more can be read of it")]
    RefusedWith(u8),
    /// Nothing went on.
    #[error("{0}")]
    Stalled(#[from] Stall),
    /// The daemon could not keep a message of the broker.
    #[error("a message of the broker could not be kept, so it is not acknowledged and has to come again")]
    NotKept,
}

/// What did not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Stall {
    /// No packet in either direction, not even the answer to a ping.
    #[error("nothing was heard from the broker for {} s", .0.as_secs())]
    Silent(Duration),
    /// A message has no PUBACK.
    #[error("the broker did not acknowledge a message within {} ms", .0.as_millis())]
    Unacknowledged(Duration),
    /// No SUBACK.
    #[error("the broker did not answer the subscriptions within {} ms", .0.as_millis())]
    Unsubscribed(Duration),
}

impl From<ConnectionError> for Broken {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::MqttState(error) => state(error),
            ConnectionError::Timeout(_) => {
                Self::Unreachable("the broker did not answer in time; is the address right?".into())
            }
            ConnectionError::Tls(error) => Self::Unreachable(format!("no TLS connection: {error}")),
            ConnectionError::Io(error) => Self::Unreachable(format!("the broker cannot be reached: {error}")),
            ConnectionError::ConnectionRefused(code) => Self::Refused(refusal(code)),
            ConnectionError::NotConnAck(_) => {
                Self::Refused("its first packet is no CONNACK; is this an MQTT broker?".into())
            }
            ConnectionError::RequestsDone => Self::Lost("it was given up".into()),
        }
    }
}

fn state(error: StateError) -> Broken {
    match error {
        StateError::ServerDisconnect { reason_code, reason_string } => {
            let said = reason_string.map(|text| format!(" ({text:.200})")).unwrap_or_default();
            let advice = match reason_code {
                DisconnectReasonCode::SessionTakenOver => {
                    "; another client uses the same client id, give each gateway one of its own"
                }
                _ => "",
            };
            Broken::Ended(format!("{reason_code:?}{said}{advice}"))
        }
        StateError::Io(error) => Broken::Lost(error.to_string()),
        StateError::ConnectionAborted => Broken::Lost("the broker closed it".into()),
        StateError::AwaitPingResp => Broken::Lost("the broker did not answer a ping".into()),
        StateError::Deserialization(CodecError::PayloadSizeLimitExceeded { pkt_size, max }) => Broken::Unreadable(
            format!("a packet of {pkt_size} bytes, where at most {max} were announced; raise the largest packet"),
        ),
        StateError::Deserialization(CodecError::InvalidConnectReturnCode(code)) => Broken::RefusedWith(code),
        StateError::Deserialization(CodecError::Io(error)) => Broken::Lost(error.to_string()),
        error => Broken::Unreadable(error.to_string()),
    }
}

fn refusal(code: ConnectReturnCode) -> String {
    match code {
        ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized => {
            format!("{code:?}; look at user name and password, and what that broker lets them do")
        }
        ConnectReturnCode::UnsupportedProtocolVersion | ConnectReturnCode::RefusedProtocolVersion => {
            format!("{code:?}; it has to speak MQTT 5")
        }
        ConnectReturnCode::ClientIdentifierNotValid | ConnectReturnCode::BadClientId => {
            format!("{code:?}; that broker does not take this client id")
        }
        code => format!("{code:?}"),
    }
}
