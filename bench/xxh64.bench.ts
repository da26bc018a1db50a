// xxh64: what a new series pays for its hash (about 100 bytes of labels).
import { xxh64Halves, xxh64Hex } from "#limpet/base/xxh64.js";
import type { Bench } from "./bench.js";

const KEY = "http_requests,host=api-0001,pod=checkout-00-3fa9c1-0b2d4,region=eu-west-1,service=checkout-00,method=GET";

export const hashKey: Bench = {
  name: "xxh64: halves of a 100 byte key",
  run(scale) {
    const ops = Math.ceil(500_000 * scale);
    const key = Buffer.from(KEY);
    const halves = new Uint32Array(2);
    let seen = 0;
    for (let i = 0; i < ops; i++) {
      key[key.length - 1] = i & 0xff; // another key each time, so that nothing is hoisted
      xxh64Halves(key, halves, 0);
      seen ^= halves[0] ?? 0;
    }
    if (!Number.isInteger(seen)) throw new Error("no hash");
    return { ops, unit: "key" };
  },
};

export const hashText: Bench = {
  name: "xxh64: hex of a 100 character text",
  run(scale) {
    const ops = Math.ceil(200_000 * scale);
    let digits = 0;
    for (let i = 0; i < ops; i++) digits += xxh64Hex(KEY).length;
    if (digits !== ops * 16) throw new Error(`expected 16 digits each, got ${String(digits)} of ${String(ops)}`);
    return { ops, unit: "text" };
  },
};
