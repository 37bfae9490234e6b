/*
 * texts: a seeded generator of texts that are JSON or nearly so. Half are written by the grammar and mostly good, with
 * the contract's borders (depth 16, int64, surrogates, keys) in easy reach; then some bytes of most are changed.
 */
"use strict";

const PIECES = [
  "{", "}", "[", "]", ",", ":", '"', "\\", "/", "'", " ", "\t", "\n", "\r", "\v", "\f", "\u00a0", "\u2028", "\ufeff",
  "\0", "\x1f", "\x7f", "\x80", "0", "-", "+", ".", "e", "E", "1", "00", "01", "-0", "-00", "1.", ".5", "1.0", "1e3",
  "1E+400", "1e-", "0x1", "NaN", "Infinity", "-Infinity", "undefined", "true", "false", "null", "True", "nul", "//", "/**/",
  "\\u0000", "\\u0001", "\\u0061", "\\u00E9", "\\ud83d\\ude00", "\\ud83d", "\\ude00", "\\uD800\\uDBFF", "\\u", "\\u12",
  "\\u+123", "\\x41", "\\0", "\\'", "\\b", "\\/", "\\\\", '\\"', "{}", "[]", '""', '{"a":1,"a":2}',
  '"a":', '"\\u0061":', '"\u00e9"', '"\\u00e9":1', ",,", ",]", ",}", "9223372036854775807", "9223372036854775808",
  "-9223372036854775808", "-9223372036854775809", "09223372036854775807", "92233720368547758070", "1e0",
  "9223372036854775808.0", "9223372036854775808e0", "[[[[[[[[", "]]]]]]]]",
].map((piece) => Buffer.from(piece));
const RAW = [
  [0xff], [0xc0, 0xaf], [0xc0, 0x80], [0xe0, 0x80, 0xaf], [0xed, 0xa0, 0x80], [0xed, 0xbf, 0xbf], [0xed, 0x9f, 0xbf],
  [0xee, 0x80, 0x80], [0xf4, 0x8f, 0xbf, 0xbf], [0xf4, 0x90, 0x80, 0x80], [0xf0, 0x8f, 0xbf, 0xbf], [0xf5, 0x80, 0x80, 0x80],
  [0xc2], [0xe2, 0x82], [0xf0, 0x9f, 0x98], [0x80], [0xef, 0xbb, 0xbf], [0xef, 0xbf, 0xbe],
].map((bytes) => Buffer.from(bytes));
const NUMBERS = ["0", "-0", "1", "-1", "10", "1.5", "0.0", "1e5", "1E-5", "9223372036854775807", "-9223372036854775808",
  "9223372036854775808", "-9223372036854775809", "123456789012345678901", "1e999", "9223372036854775808.5"];
const KEYS = ["a", "b", "\\u0061", "\\u0062", "", "\u00e9", "\\u00e9", "e\u0301", "\\ud83d\\ude00", "\u{1f600}", "\\n", "\\u000a",
  "\\\\", "\\u005c", "\\/", "/", "\\u002F", "__proto__", "constructor", "id", "user_ids"];
const STRINGS = ["", "a", "jane", "\\n", "\\u00e9", "\u00e9", "\u{1f600}", "\\ud83d\\ude00", "\\uDBFF\\uDFFF", "\u007f", "\u0080",
  "\\u0000", "\\ud800", "\\udc00\\ud800", "\\\\u0000", "\\\\\\\\", "\u2028", "\ufeff", "\uffff"];
const SPACES = ["", "", "", "", " ", "\n", "\t\r\n  "];

class Generator {
  /* bodies: Buffers to begin from. */
  constructor(seed, bodies) {
    this.state = seed >>> 0;
    this.bodies = bodies;
  }

  /* 0 to below - 1: mulberry32, which is enough for a test and the same everywhere. */
  random(below) {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  }

  pick(list) {
    return list[this.random(list.length)];
  }

  value(depth) {
    const kind = this.random(depth > 0 ? 10 : 5);
    if (kind < 2) {
      return `"${this.pick(STRINGS)}"`;
    }
    if (kind < 4) {
      return this.pick(NUMBERS);
    }
    if (kind === 4) {
      return this.pick(["true", "false", "null"]);
    }
    const items = Array.from({ length: this.random(4) }, () => {
      const name = kind < 8 ? `${this.pick(SPACES)}"${this.pick(KEYS)}"${this.pick(SPACES)}:` : "";
      return name + this.pick(SPACES) + this.value(depth - 1) + this.pick(SPACES);
    });
    const inside = items.join(",") || this.pick(SPACES);
    return kind < 8 ? `{${inside}}` : `[${inside}]`;
  }

  /* Nested to just about the limit, or with about as many members as are allowed. */
  extreme() {
    const count = 14 + this.random(5);
    switch (this.random(4)) {
    case 0:
      return "[".repeat(count) + this.value(1) + "]".repeat(count);
    case 1:
      return '{"a":'.repeat(count) + this.value(1) + "}".repeat(count);
    case 2:
      return `{${Array.from({ length: 50 + count }, (_, i) => `"k${i}":${i}`).join(",")}}`;
    default: {
      const inner = `{${Array.from({ length: 46 + count }, (_, i) => `"k${i}":0`).join(",")}}`;
      return `{"a":[${inner},${inner}],"b":${inner}}`;
    }
    }
  }

  begin() {
    const kind = this.random(20);
    if (kind === 0) {
      return Buffer.from(this.extreme());
    }
    if (kind < 10) {
      return Buffer.from(this.pick(SPACES) + this.value(3) + this.pick(SPACES));
    }
    return this.pick(this.bodies);
  }

  change(text) {
    const at = this.random(text.length + 1);
    const end = Math.min(text.length, at + this.random(4));
    switch (this.random(7)) {
    case 0: /* a piece put in */
      return Buffer.concat([text.subarray(0, at), this.pick(PIECES), text.subarray(at)]);
    case 1: /* a piece instead */
      return Buffer.concat([text.subarray(0, at), this.pick(PIECES), text.subarray(end)]);
    case 2: /* bytes that may not be UTF-8 */
      return Buffer.concat([text.subarray(0, at), this.pick(RAW), text.subarray(this.random(2) ? at : end)]);
    case 3: /* some taken out */
      return Buffer.concat([text.subarray(0, at), text.subarray(end)]);
    case 4: /* some given twice */
      return Buffer.concat([text.subarray(0, end), text.subarray(at)]);
    case 5: /* cut */
      return text.subarray(0, at);
    default: { /* one byte */
      const copy = Buffer.from(text);
      if (at < copy.length) {
        copy[at] = this.random(2) ? copy[at] ^ (1 << this.random(8)) : this.random(256);
      }
      return copy;
    }
    }
  }

  next() {
    let text = this.begin();
    for (let changes = this.random(4); changes > 0; changes--) {
      text = this.change(text);
    }
    return text;
  }
}

module.exports = { Generator };
