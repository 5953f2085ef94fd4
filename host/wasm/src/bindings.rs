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
        export dragoman:gateway/topics@0.1.0-draft;
        export dragoman:gateway/subscriptions@0.1.0-draft;
        export dragoman:gateway/notifications@0.1.0-draft;
        export dragoman:gateway/answers@0.1.0-draft;
        export dragoman:gateway/handler@0.1.0-draft;
        export dragoman:gateway/decoder@0.1.0-draft;
    }",
    path: "../../wit",
    imports: {
        "dragoman:gateway/devices": async | trappable,
        "dragoman:gateway/executions.get": async | trappable,
        "dragoman:gateway/executions.query": async | trappable,
        "dragoman:gateway/executions.query-between": async | trappable,
        "dragoman:gateway/executions.get-by-alias": async | trappable,
        "dragoman:gateway/executions.get-open": async | trappable,
        "dragoman:gateway/executions.count": async | trappable,
        "dragoman:gateway/executions.cancel": async | trappable,
        "dragoman:gateway/executions.tell": async | trappable,
        "dragoman:gateway/executions.tell-for": async | trappable,
        "dragoman:gateway/executions.attempt-failed": async | trappable,
        "dragoman:gateway/executions.note": async | trappable,
        "dragoman:gateway/executions.set-label": async | trappable,
        "dragoman:gateway/credentials": async | trappable,
        "dragoman:gateway/documents": async | trappable,
        "dragoman:gateway/sessions": async | trappable,
        "dragoman:gateway/outbox.publish": async | trappable,
        "dragoman:gateway/events": async | trappable,
        default: trappable,
    },
    exports: { default: async },
    with: { "dragoman:gateway/executions.submission": crate::imports::Draft },
});
