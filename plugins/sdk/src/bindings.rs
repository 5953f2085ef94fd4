//! What `wit-bindgen` makes of the world `dialect`. Generated code: read `wit/*.wit` instead, and use the names that the
//! crate's root exports.
#![allow(missing_docs, unreachable_pub, unsafe_code, clippy::all, clippy::pedantic, clippy::restriction)]

wit_bindgen::generate!({
    path: "../../wit",
    world: "dialect",
    pub_export_macro: true,
    export_macro_name: "export_dialect_world",
    default_bindings_module: "dragoman_plugin_sdk::bindings",
    additional_derives: [PartialEq],
    generate_unused_types: true,
});
