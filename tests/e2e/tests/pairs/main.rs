//! Every pair: each of five application sides commands each of five device sides. The application speaks as its platform
//! does, the device is a process of its own, and what became of the command is heard in the caller's own words, also when
//! the daemon is killed between command and answer.

mod callers;
mod kill;
mod outcomes;
mod words;

use callers::App;
use dragoman_e2e::lamps::Side;

/// One test a pair.
macro_rules! every_pair {
    ($check:path) => {
        every_pair! { $check;
            huawei_to_huawei: Huawei Huawei,
            huawei_to_fleets: Huawei Fleets,
            huawei_to_chirpstack: Huawei ChirpStack,
            huawei_to_devicehive: Huawei DeviceHive,
            huawei_to_connio: Huawei Connio,
            fleets_to_huawei: Fleets Huawei,
            fleets_to_fleets: Fleets Fleets,
            fleets_to_chirpstack: Fleets ChirpStack,
            fleets_to_devicehive: Fleets DeviceHive,
            fleets_to_connio: Fleets Connio,
            the_things_stack_to_huawei: TheThingsStack Huawei,
            the_things_stack_to_fleets: TheThingsStack Fleets,
            the_things_stack_to_chirpstack: TheThingsStack ChirpStack,
            the_things_stack_to_devicehive: TheThingsStack DeviceHive,
            the_things_stack_to_connio: TheThingsStack Connio,
            devicehive_to_huawei: DeviceHive Huawei,
            devicehive_to_fleets: DeviceHive Fleets,
            devicehive_to_chirpstack: DeviceHive ChirpStack,
            devicehive_to_devicehive: DeviceHive DeviceHive,
            devicehive_to_connio: DeviceHive Connio,
            connio_to_huawei: Connio Huawei,
            connio_to_fleets: Connio Fleets,
            connio_to_chirpstack: Connio ChirpStack,
            connio_to_devicehive: Connio DeviceHive,
            connio_to_connio: Connio Connio,
        }
    };
    ($check:path; $($name:ident: $app:ident $side:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() -> anyhow::Result<()> {
                $check(super::App::$app, super::Side::$side).await
            }
        )*
    };
}

mod every_outcome_is_heard {
    every_pair!(crate::outcomes::are_heard);
}

mod an_answer_after_a_kill_is_heard {
    every_pair!(crate::kill::is_survived);
}
