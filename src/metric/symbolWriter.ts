// The symbols of one remote write 2.0 request: every different text once, in the order first seen, the empty one first. Texts are
// bytes. They are encoded as they come, and found again by hash through an open-addressing table over what was encoded.
import { nestedBytes, ProtoWriter } from "./protoWriter.js";

const SYMBOLS = 0x22;
const NOTHING = new Uint8Array(0);

export class SymbolWriter {
  readonly #out = new ProtoWriter();
  /** Three per symbol: where its bytes lie in #out, how many they are, their hash. */
  #entries = new Int32Array(3 * 1024);
  /** Symbol + 1, 0: free. Invariant: its size is a power of two, and at most half of it is taken. */
  #slots = new Int32Array(2048);
  #count = 0;

  constructor() {
    this.reset();
  }

  /** Only the empty text is left. */
  reset(): void {
    this.#out.reset();
    this.#slots.fill(0);
    this.#count = 0;
    this.of(NOTHING, 0, 0);
  }

  /** The encoded field `symbols`. A view: later texts may change it. */
  written(): Uint8Array {
    return this.#out.written();
  }

  /** The number of a text, which is added when it is new. */
  of(from: Uint8Array, at: number, length: number): number {
    const hash = hashOf(from, at, length);
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (let known = this.#slots[slot] ?? 0; known !== 0; known = this.#slots[slot] ?? 0) {
      const entry = 3 * (known - 1);
      if (this.#entries[entry + 2] === hash && this.#entries[entry + 1] === length && this.#isAt(this.#entries[entry] ?? 0, from, at, length))
        return known - 1;
      slot = (slot + 1) & mask;
    }
    this.#slots[slot] = this.#count + 1;
    return this.#add(from, at, length, hash);
  }

  #isAt(start: number, from: Uint8Array, at: number, length: number): boolean {
    const { bytes } = this.#out;
    for (let i = 0; i < length; i++) if (bytes[start + i] !== from[at + i]) return false;
    return true;
  }

  #add(from: Uint8Array, at: number, length: number, hash: number): number {
    const out = this.#out;
    out.reserve(nestedBytes(length));
    out.tagged(SYMBOLS, length);
    const symbol = this.#count++;
    if (3 * symbol === this.#entries.length) this.#entries = grown(this.#entries);
    this.#entries[3 * symbol] = out.length;
    this.#entries[3 * symbol + 1] = length;
    this.#entries[3 * symbol + 2] = hash;
    out.copy(from, at, length);
    if (2 * this.#count > this.#slots.length) this.#rehash();
    return symbol;
  }

  #rehash(): void {
    const slots = new Int32Array(2 * this.#slots.length);
    const mask = slots.length - 1;
    for (let symbol = 0; symbol < this.#count; symbol++) {
      let slot = (this.#entries[3 * symbol + 2] ?? 0) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = symbol + 1;
    }
    this.#slots = slots;
  }
}

function grown(from: Int32Array): Int32Array<ArrayBuffer> {
  const to = new Int32Array(2 * from.length);
  to.set(from);
  return to;
}

/** FNV-1a, its upper bits mixed into the lower ones, which choose the slot. */
function hashOf(from: Uint8Array, at: number, length: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < length; i++) hash = Math.imul(hash ^ (from[at + i] ?? 0), 0x01000193);
  return hash ^ (hash >>> 15);
}
