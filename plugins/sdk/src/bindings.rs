//! What `wit-bindgen` makes of the contract. Generated code: read `wit/*.wit` instead, and use the names that the
//! crate's root exports. Each interface that a plugin may export is a module of its own, so that a component exports
//! what it has and nothing else.
#![allow(missing_docs, unreachable_pub, unsafe_code, clippy::all, clippy::pedantic, clippy::restriction)]

wit_bindgen::generate!({
    path: "../../wit",
    world: "imports",
    additional_derives: [PartialEq],
    generate_unused_types: true,
    generate_all,
});

/// The bindings of one exported interface, over the types above.
macro_rules! role {
    ($module:ident, $inline:literal, $export:literal, $path:literal, { $($interface:literal: $types:path),* $(,)? }) => {
        pub mod $module {
            wit_bindgen::generate!({
                path: "../../wit",
                inline: $inline,
                pub_export_macro: true,
                export_macro_name: $export,
                default_bindings_module: $path,
                additional_derives: [PartialEq],
                generate_unused_types: true,
                with: { $($interface: $types),* },
            });
        }
    };
}

role!(
    plugin,
    "package dragoman:sdk; world plugin-role { export dragoman:gateway/plugin@0.1.0-draft; }",
    "export_plugin_interface",
    "dragoman_plugin_sdk::bindings::plugin",
    { "dragoman:gateway/types@0.1.0-draft": crate::bindings::dragoman::gateway::types }
);
role!(
    admission,
    "package dragoman:sdk; world admission-role { export dragoman:gateway/admission@0.1.0-draft; }",
    "export_admission_interface",
    "dragoman_plugin_sdk::bindings::admission",
    { "dragoman:gateway/types@0.1.0-draft": crate::bindings::dragoman::gateway::types }
);
role!(
    northbound,
    "package dragoman:sdk; world northbound-role { export dragoman:gateway/northbound@0.1.0-draft; }",
    "export_northbound_interface",
    "dragoman_plugin_sdk::bindings::northbound",
    { "dragoman:gateway/types@0.1.0-draft": crate::bindings::dragoman::gateway::types }
);
role!(
    southbound,
    "package dragoman:sdk; world southbound-role { export dragoman:gateway/southbound@0.1.0-draft; }",
    "export_southbound_interface",
    "dragoman_plugin_sdk::bindings::southbound",
    {
        "dragoman:gateway/types@0.1.0-draft": crate::bindings::dragoman::gateway::types,
        "dragoman:gateway/executions@0.1.0-draft": crate::bindings::dragoman::gateway::executions,
    }
);
role!(
    topics,
    "package dragoman:sdk; world topics-role { export dragoman:gateway/topics@0.1.0-draft; }",
    "export_topics_interface",
    "dragoman_plugin_sdk::bindings::topics",
    { "dragoman:gateway/types@0.1.0-draft": crate::bindings::dragoman::gateway::types }
);
role!(
    subscriptions,
    "package dragoman:sdk; world subscriptions-role { export dragoman:gateway/subscriptions@0.1.0-draft; }",
    "export_subscriptions_interface",
    "dragoman_plugin_sdk::bindings::subscriptions",
    { "dragoman:gateway/types@0.1.0-draft": crate::bindings::dragoman::gateway::types }
);
role!(
    notifications,
    "package dragoman:sdk; world notifications-role { export dragoman:gateway/notifications@0.1.0-draft; }",
    "export_notifications_interface",
    "dragoman_plugin_sdk::bindings::notifications",
    { "dragoman:gateway/types@0.1.0-draft": crate::bindings::dragoman::gateway::types }
);
role!(
    answers,
    "package dragoman:sdk; world answers-role { export dragoman:gateway/answers@0.1.0-draft; }",
    "export_answers_interface",
    "dragoman_plugin_sdk::bindings::answers",
    { "dragoman:gateway/types@0.1.0-draft": crate::bindings::dragoman::gateway::types }
);
role!(
    handler,
    "package dragoman:sdk; world handler-role { export dragoman:gateway/handler@0.1.0-draft; }",
    "export_handler_interface",
    "dragoman_plugin_sdk::bindings::handler",
    { "dragoman:gateway/types@0.1.0-draft": crate::bindings::dragoman::gateway::types }
);
role!(
    decoder,
    "package dragoman:sdk; world decoder-role { export dragoman:gateway/decoder@0.1.0-draft; }",
    "export_decoder_interface",
    "dragoman_plugin_sdk::bindings::decoder",
    { "dragoman:gateway/types@0.1.0-draft": crate::bindings::dragoman::gateway::types }
);
