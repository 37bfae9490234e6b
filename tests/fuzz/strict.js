/*
 * strict: whether a body is JSON as the contract's section 3 has it: Node's decoder and JSON.parse, and on top of them
 * what JSON.parse lets through. Knows nothing of the program's own check.
 */
"use strict";

const DEPTH_MAX = 16;
const MEMBERS_MAX = 64; /* of all objects that are open at once: src/rpc/jsoncheck.h; no operation has as many fields */
const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/* Only for texts that JSON.parse has taken: then these are its tokens. */
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[-0-9][^\s,\]}]*|true|false|null/gsu;

class Refusal extends Error {}

function check(condition, reason) {
  if (!condition) {
    throw new Refusal(reason);
  }
}

function checkString(token) {
  const value = JSON.parse(token);
  check(!value.includes("\0"), "U+0000");
  check(!/\p{Surrogate}/u.test(value), "a lone surrogate");
  return value;
}

function checkNumber(token) {
  if (/^-?\d+$/.test(token)) {
    const value = BigInt(token);
    check(value >= INT64_MIN && value <= INT64_MAX, "an integer out of range");
  }
}

/* Depth, keys given twice, and what each token is. */
function checkTokens(text) {
  const open = []; /* a Set of keys for an object, null for an array */
  let members = 0;
  let expectsKey = false;
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === "{" || token === "[") {
      open.push(token === "{" ? new Set() : null);
      check(open.length <= DEPTH_MAX, "nested too deeply");
      expectsKey = token === "{";
    } else if (token === "}" || token === "]") {
      members -= open.pop()?.size ?? 0;
      expectsKey = false;
    } else if (token === ",") {
      expectsKey = open.at(-1) !== null;
    } else if (token === ":") {
      expectsKey = false;
    } else if (token.startsWith('"')) {
      const value = checkString(token);
      if (expectsKey) {
        check(!open.at(-1).has(value), "a key given twice");
        check(++members <= MEMBERS_MAX, "too many members");
        open.at(-1).add(value);
      }
    } else if (/^[-0-9]/.test(token)) {
      checkNumber(token);
    }
  }
}

/* {taken, reason}: "takes", or why Node's side does not take these bytes. */
function accepts(bytes) {
  try {
    const text = decoder.decode(bytes);
    JSON.parse(text);
    checkTokens(text);
  } catch (error) {
    return { taken: false, reason: `refuses (${error.message})` };
  }
  return { taken: true, reason: "takes" };
}

module.exports = { accepts };
