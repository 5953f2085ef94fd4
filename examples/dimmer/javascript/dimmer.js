// Handler for the dimmer that ../README.md describes. Each exported object is an interface of the contract; names in
// camelCase, variants as {tag, val}, `option` as null, and an error is thrown.

import host from "dragoman:gateway/host@0.1.0-draft";
import { bytesOf } from "./bytes.js";

const SET = 0x10;
const SET_AT_ONCE = 0x11;
const REPORT = 0x81;
const HOT_CELSIUS = 80;

const SET_SCHEMA = {
    type: "object",
    required: ["level"],
    properties: {
        level: { type: "integer", minimum: 0, maximum: 100 },
        fade_ms: { type: "integer", minimum: 0, maximum: 25500 },
    },
};
const SETTINGS_SCHEMA = {
    type: "object",
    properties: { reply_within_ms: { type: "integer", minimum: 1, maximum: 600000 } },
};

export const plugin = {
    describe() {
        return {
            name: "dimmer",
            version: "1.0.0",
            summary: "Example dimmer that is set, checked and asked once more",
            claims: [],
            tells: "ended",
            queues: [],
            credentialHeaders: [],
            settingsSchema: JSON.stringify(SETTINGS_SCHEMA),
            attributes: [],
        };
    },
};

export const handler = {
    commands() {
        return [{ name: "set", summary: "Sets the level and checks it", paramsSchema: JSON.stringify(SET_SCHEMA) }];
    },

    start(device, intent) {
        if (intent.tag !== "invoke" || intent.val.action !== "set") {
            return rejected("UNSUPPORTED", "the dimmer knows only `set`");
        }
        const params = JSON.parse(intent.val.params) ?? {};
        if (!isWhole(params.level, 100)) {
            return rejected("INVALID_PARAMS", "`level` must be a whole number from 0 to 100");
        }
        const fadeMs = params.fade_ms ?? 0;
        if (!isWhole(fadeMs, 25500)) {
            return rejected("INVALID_PARAMS", "`fade_ms` must be a whole number from 0 to 25500");
        }
        return send([SET, params.level, Math.floor(fadeMs / 100)], 1);
    },

    resume(device, intent, state, reply) {
        const { tries } = JSON.parse(state);
        if (tries !== 1 && tries !== 2) {
            throw { tag: "internal", val: "the state is not that of this handler" };
        }
        const wanted = JSON.parse(intent.val.params).level;
        const outcome = reply.tag === "outcome" ? reply.val : null;
        if (outcome?.tag === "rejected") {
            return rejected("REFUSED", `the dimmer refused: ${outcome.val.text}`);
        }
        const told = outcome?.tag === "succeeded" ? levelOf(outcome.val) : null;
        if (told === wanted) {
            return finish({ tag: "succeeded", val: JSON.stringify({ level: wanted, tries }) });
        }
        if (tries === 1) {
            return send([SET_AT_ONCE, wanted], 2);
        }
        if (outcome === null) {
            return failed("NO_REPLY", "the dimmer did not answer, asked twice", null);
        }
        if (outcome.tag === "failed") {
            return failed("FAILED", `the dimmer failed: ${outcome.val.text}`, null);
        }
        return failed("LEVEL_DIFFERS", "the dimmer reports another level", JSON.stringify({ wanted, told }));
    },
};

export const decoder = {
    decode(device, direction, what) {
        const bytes = bytesOf(what.payload);
        if (direction === "up" && bytes.length === 4 && bytes[0] === REPORT) {
            const temperature = (bytes[2] << 24) >> 24;
            const warnings = temperature > HOT_CELSIUS ? ["the dimmer is hot"] : [];
            return decoded({ level: bytes[1], temperature, measured_ms: host.now() - bytes[3] * 1000 }, warnings);
        }
        if (direction === "down" && bytes.length === 3 && bytes[0] === SET) {
            return decoded({ set: bytes[1], fade_ms: bytes[2] * 100 }, []);
        }
        if (direction === "down" && bytes.length === 2 && bytes[0] === SET_AT_ONCE) {
            return decoded({ set: bytes[1] }, []);
        }
        throw { tag: "invalid", val: `${bytes.length} bytes are no message of a dimmer` };
    },
};

function isWhole(value, max) {
    return Number.isInteger(value) && value >= 0 && value <= max;
}

function levelOf(result) {
    return (result === null ? null : JSON.parse(result))?.level ?? null;
}

function send(bytes, tries) {
    const frame = { name: "set", payload: { tag: "bytes", val: Uint8Array.from(bytes) }, attributes: [] };
    const replyWithin = JSON.parse(host.settings()).reply_within_ms ?? 5000;
    const frames = [{ tag: "deliver", val: frame }];
    return { tag: "send", val: { frames, state: JSON.stringify({ tries }), replyWithin } };
}

function finish(outcome) {
    return { tag: "finish", val: outcome };
}

function rejected(code, text) {
    return finish({ tag: "rejected", val: { code, text, detail: null } });
}

function failed(code, text, detail) {
    return finish({ tag: "failed", val: { code, text, detail } });
}

function decoded(value, warnings) {
    return { value: JSON.stringify(value), warnings };
}
