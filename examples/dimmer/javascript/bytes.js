// The bytes of a payload. The gateway gives `text` for all that is valid UTF-8, also where the device sent binary that
// happens to be, and QuickJS has no TextEncoder.

export function bytesOf(payload) {
    return payload.tag === "bytes" ? Uint8Array.from(payload.val) : utf8(payload.val);
}

function utf8(text) {
    const bytes = [];
    for (const character of text) {
        const point = character.codePointAt(0);
        if (point < 0x80) {
            bytes.push(point);
        } else if (point < 0x800) {
            bytes.push(0xc0 | (point >> 6), tail(point));
        } else if (point < 0x10000) {
            bytes.push(0xe0 | (point >> 12), tail(point >> 6), tail(point));
        } else {
            bytes.push(0xf0 | (point >> 18), tail(point >> 12), tail(point >> 6), tail(point));
        }
    }
    return Uint8Array.from(bytes);
}

function tail(bits) {
    return 0x80 | (bits & 0x3f);
}
