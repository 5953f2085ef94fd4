//! What wasmtime generates from `wit/`. Nothing of it leaves this crate.
//!
//! One world that nothing is ever loaded as holds every import and every export, so that there is one set of types.
//! Which roles a component has is looked up one by one when it is loaded.

#![allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic, reason = "generated code")]

wasmtime::component::bindgen!({
    inline: "package dragoman:host; world all {
        include dragoman:gateway/imports@0.1.0-draft;
        export dragoman:gateway/plugin@0.1.0-draft;
        export dragoman:gateway/admission@0.1.0-draft;
        export dragoman:gateway/northbound@0.1.0-draft;
        export dragoman:gateway/southbound@0.1.0-draft;
        export dragoman:gateway/handler@0.1.0-draft;
    }",
    path: "../../wit",
    imports: {
        "dragoman:gateway/devices": async | trappable,
        "dragoman:gateway/executions.get": async | trappable,
        "dragoman:gateway/executions.query": async | trappable,
        "dragoman:gateway/executions.count": async | trappable,
        "dragoman:gateway/executions.cancel": async | trappable,
        "dragoman:gateway/executions.tell": async | trappable,
        "dragoman:gateway/credentials": async | trappable,
        default: trappable,
    },
    exports: { default: async },
    with: { "dragoman:gateway/executions.submission": crate::imports::Draft },
});
