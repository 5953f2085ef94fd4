//! What `wit-bindgen` makes of the world `command-handler`; its words are those of the dialects' SDK. A crate of its own
//! because both worlds export `plugin`, and the macros that export it cannot stand beside each other in one crate.
#![allow(missing_docs, unreachable_pub, unsafe_code, clippy::all, clippy::pedantic, clippy::restriction)]

wit_bindgen::generate!({
    path: "../../../wit",
    world: "command-handler",
    pub_export_macro: true,
    export_macro_name: "export_command_handler_world",
    default_bindings_module: "dragoman_handler_sdk::bindings",
    additional_derives: [PartialEq],
    with: {
        "dragoman:gateway/types@0.1.0-draft": dragoman_plugin_sdk::bindings::dragoman::gateway::types,
        "dragoman:gateway/host@0.1.0-draft": dragoman_plugin_sdk::bindings::dragoman::gateway::host,
    },
});
