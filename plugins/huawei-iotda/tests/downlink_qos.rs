//! The QoS of what is sent to devices follows the setting.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{DEVICE, NOW_MS, call, gateway};
use dragoman_plugin_sdk::testing::execution;
use dragoman_plugin_sdk::{Dispatched, Gateway, Northbound, Southbound};
use huawei_iotda::{Iotda, NAME};

#[test]
fn what_is_sent_to_a_device_has_the_qos_that_the_operator_sets() {
    for (settings, expected) in [("{}", 0), (r#"{"downlink-qos":0}"#, 0), (r#"{"downlink-qos":1}"#, 1)] {
        let mut fake = gateway();
        fake.settings = settings.to_owned();
        let body = r#"{"service_id":"S","command_name":"C","paras":{}}"#;
        Iotda::handle_request(&fake, &call("POST", DEVICE, "commands", body)).unwrap();
        let (id, submission) = fake.submitted().unwrap();
        let device = fake.device(&submission.device).unwrap();
        let dispatched = Iotda::dispatch(&fake, &device, &execution(&id, NAME, submission, NOW_MS)).unwrap();
        let Dispatched::Send(messages) = dispatched else { panic!("{dispatched:?}") };
        assert_eq!(messages.iter().map(|one| one.message.qos).collect::<Vec<_>>(), [expected], "{settings}");
    }
}
