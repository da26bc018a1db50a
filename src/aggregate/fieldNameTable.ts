// The names of fields, each once in memory as a line spells it, `name=`: Fields of all Keys point there. Never freed: they are few.
import { allocate } from "../kernel/alloc.js";
import { FIELD_BYTES, FIELD_NAME, KEY_FIELDS } from "../kernel/layout.js";
import { heapBuffer } from "../kernel/memory.js";

export class FieldNameTable {
  readonly #root: number;
  /** Name -> address of `name=`. */
  readonly #byName = new Map<string, number>();

  constructor(root: number) {
    this.#root = root;
  }

  /** Address of the interned `name=` (4-aligned; its length stands 8 bytes before it). `name`: its bytes as latin1. */
  intern(name: string): number {
    const known = this.#byName.get(name);
    if (known !== undefined) return known;
    const escaped = Buffer.from(`${name.replace(/[, =]/g, "\\$&")}=`, "latin1");
    const at = allocate(this.#root, 8 + escaped.length + 4);
    if (at === 0) return 0;
    i32.store(at, escaped.length);
    escaped.copy(heapBuffer, at + 8);
    this.#byName.set(name, at + 8);
    return at + 8;
  }

  /** The Field of a Key among its first `count`, probably in place `expected`; 0 when it is not there. `name`: its bytes as latin1. */
  find(key: number, name: string, expected: number, count: number): number {
    const interned = this.#byName.get(name);
    if (interned === undefined) return 0;
    const fields = i32.load(key + KEY_FIELDS);
    const guess = fields + expected * FIELD_BYTES;
    if (expected < count && i32.load(guess + FIELD_NAME) === interned) return guess;
    const end = fields + count * FIELD_BYTES;
    for (let field = fields; field < end; field += FIELD_BYTES) if (i32.load(field + FIELD_NAME) === interned) return field;
    return 0;
  }
}

/** A map key for bytes: one character per byte. */
export function decodeLatin1(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

/** Address of the `=` behind the plainly spelled field name at `at`, 0 when it is not one. */
export function plainNameEnd(at: number): number {
  for (let q = at; ; q++) {
    const c = i32.load8_u(q);
    if (c === 0x3d) return q === at ? 0 : q;
    if (c <= 0x20 || c >= 0x7f || c === 0x2c || c === 0x5c) return 0;
  }
}
