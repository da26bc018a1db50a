// Admits series that are like one admitted before, without strings (kernel/shape.ts says what like means). What it cannot do - an
// unusual spelling, a Shape or field seen for the first time, no memory - is Admission's, which lets it learn.
import { xxh64Halves } from "../base/xxh64.js";
import { allocate, release } from "../kernel/alloc.js";
import {
  COMPOSED_AT,
  FIELD_BYTES,
  FIELD_NAME,
  FIELD_NAME_LENGTH,
  FIELD_PASS,
  FIELD_TARGET_COUNT,
  FIELD_TARGETS,
  KEY_BYTES,
  KEY_FIELD_COUNT,
  KEY_FIELD_MAX,
  KEY_FIELDS,
  KEY_LENGTH,
  ROOT_AT,
  ROOT_CHANGED,
  ROOT_SHAPE_LENGTH,
  ROOT_SHAPES,
  ROOT_TAGS,
  SCRATCH_AT,
  SCRATCH_BYTES,
  TABLE_COUNT,
  TABLE_MASK,
  TAG_BYTES,
  TAG_FLAGS,
  TAG_LENGTH,
  TAG_NAMED,
  TAG_ODD,
  TAG_SEEN,
  TAG_UNSEEN,
  TARGET_BYTES,
  TARGET_GROUP,
  TARGET_LAST,
} from "../kernel/layout.js";
import { heap8, heapBuffer } from "../kernel/memory.js";
import { hashBytes } from "../kernel/reader.js";
import { fieldLike, seriesShapeOf } from "../kernel/seriesShape.js";
import { copyFields, fieldsLike, NEW_TAG, roomForFields, shapeOf, WANTS_LAST } from "../kernel/shape.js";
import { tableAdd, tableAt, tableClear, tableOpen } from "../kernel/table.js";
import type { Relevance } from "./relevantTags.js";

/** Past so many Shapes or tags nothing more is learned until a sweep has freed Groups; admission is slower then. */
const ENTRIES_MAX = 100_000;
/** New tags learned of one key at a time: each costs a look at all of the key, and a line may have a hundred thousand. */
const LEARNED_MAX = 64;

export interface ShapesOptions {
  readonly relevance: Relevance;
  /** Label name of a tag; "": none. */
  readonly label: (tag: string) => string;
  /** A Key of these bytes, whose hash is in ROOT_HASH; 0 without memory. */
  readonly newKey: (from: number, length: number) => number;
  /** Makes the Last a target wants; it answers with a Last or a refusal, stored in the target. */
  readonly remember: (target: number, hash: { readonly low: number; readonly high: number }) => void;
}

export class Shapes {
  readonly #root: number;
  readonly #options: ShapesOptions;
  /** FIELD_TARGETS of a Shape's field with Lasts -> its Prometheus name, UTF-8. */
  readonly #names = new Map<number, Buffer>();
  readonly #halves = new Uint32Array(2);
  #identity = Buffer.allocUnsafe(4096);
  readonly #tags: number[] = [];
  /** ROOT_CHANGED when a Shape was last looked for. */
  #changed = 0;

  /** Throws without memory for its tables. */
  constructor(root: number, options: ShapesOptions) {
    this.#root = root;
    this.#options = options;
    for (const table of [ROOT_SHAPES, ROOT_TAGS])
      if (tableOpen(root, root + table, 64) === 0) throw new Error("no memory for the engine's tables; raise --memory-max");
  }

  /** Groups were marked: Shapes may point at them. */
  outdate(): void {
    this.#changed = -1;
  }

  /** Parts came or went: what Shapes point at may be gone. */
  #follow(): void {
    const changed = i32.load(this.#root + ROOT_CHANGED);
    if (changed !== this.#changed) this.clear();
    this.#changed = changed;
  }

  /** Admits the line at `from`, whose key has `length` bytes and is new. False: Admission has to. */
  line(from: number, length: number, end: number): boolean {
    const shape = this.#find(from, length);
    const count = shape <= 0 ? 0 : fieldsLike(this.#root, 0, shape, from + length + 1, end);
    const key = count <= 0 ? 0 : this.#options.newKey(from, length);
    return key !== 0 && this.#copy(key, count);
  }

  /** Admits the new fields of a line of `key` that begin at `at`. False: Admission has to. */
  fields(key: number, at: number, end: number): boolean {
    const shape = this.#find(key + KEY_BYTES, i32.load(key + KEY_LENGTH));
    const count = shape <= 0 ? 0 : fieldsLike(this.#root, key, shape, at, end);
    return count > 0 && this.#copy(key, count);
  }

  /** Admits a series that came with its name, whose Key has no Field yet. False: Admission has to. */
  series(key: number): boolean {
    const shape = this.#find(key + KEY_BYTES, i32.load(key + KEY_LENGTH));
    return shape > 0 && fieldLike(this.#root, shape) === 1 && this.#copy(key, 1);
  }

  #copy(key: number, count: number): boolean {
    const root = this.#root;
    const before = i32.load(key + KEY_FIELD_COUNT);
    const done = copyFields(root, key, count) === 1;
    const added = i32.load(key + KEY_FIELD_COUNT) - before;
    if (this.#names.size > 0) for (let i = 0; i < added; i++) this.#remember(key, before + i, i32.load(root + SCRATCH_AT + i * SCRATCH_BYTES));
    return done;
  }

  /** Learns from the Field that Admission has just added to `key`. `name`: Prometheus name of its series. */
  learn(key: number, field: number, name: string): void {
    const root = this.#root;
    const pass = i32.load(field + FIELD_PASS);
    // Labels to pass on are each series' own.
    if (pass > 1) return;
    let shape = this.#find(key + KEY_BYTES, i32.load(key + KEY_LENGTH));
    if (shape === 0) shape = this.#addShape();
    if (shape <= 0) return;
    const count = i32.load(field + FIELD_TARGET_COUNT);
    const from = i32.load(field + FIELD_TARGETS);
    // A refusal may not be one any more for the next Key. What no Part holds stays so until Parts change.
    for (let target = from; target < from + count * TARGET_BYTES; target += TARGET_BYTES)
      if (i32.load(target + TARGET_GROUP) === 0 && i32.load(target + TARGET_LAST) !== 0) return;
    const targets = count === 0 ? from : allocate(root, count * TARGET_BYTES);
    const at = targets === 0 && count > 0 ? 0 : roomForFields(root, shape, 1);
    if (at === 0) {
      if (count > 0 && targets !== 0) release(root, targets, count * TARGET_BYTES);
      return;
    }
    for (let offset = 0; offset < count * TARGET_BYTES; offset += TARGET_BYTES) {
      const last = i32.load(from + offset + TARGET_LAST);
      i32.store(targets + offset + TARGET_GROUP, i32.load(from + offset + TARGET_GROUP));
      i32.store(targets + offset + TARGET_LAST, last === 0 ? 0 : WANTS_LAST);
      if (last !== 0) this.#names.set(targets, Buffer.from(name));
    }
    i32.store(at + FIELD_NAME, i32.load(field + FIELD_NAME));
    i32.store(at + FIELD_NAME_LENGTH, i32.load(field + FIELD_NAME_LENGTH));
    i32.store(at + FIELD_TARGETS, targets);
    i32.store(at + FIELD_TARGET_COUNT, count);
    i32.store(at + FIELD_PASS, pass);
    i32.store(shape + KEY_FIELD_COUNT, i32.load(shape + KEY_FIELD_COUNT) + 1);
  }

  /** Forgets all Shapes: their Groups may be gone. */
  clear(): void {
    const root = this.#root;
    for (let i = i32.load(root + ROOT_SHAPES + TABLE_MASK); i >= 0; i--) {
      const shape = tableAt(root + ROOT_SHAPES, i);
      if (shape === 0) continue;
      const fields = i32.load(shape + KEY_FIELDS);
      for (let field = fields; field < fields + i32.load(shape + KEY_FIELD_COUNT) * FIELD_BYTES; field += FIELD_BYTES) {
        const count = i32.load(field + FIELD_TARGET_COUNT);
        if (count > 0) release(root, i32.load(field + FIELD_TARGETS), count * TARGET_BYTES);
      }
      const max = i32.load(shape + KEY_FIELD_MAX);
      if (max > 0) release(root, fields, max * FIELD_BYTES);
      release(root, shape, KEY_BYTES + i32.load(shape + KEY_LENGTH) + 4);
    }
    tableClear(root + ROOT_SHAPES);
    this.#names.clear();
  }

  /** The Shape of a key; 0: none yet (its bytes are at COMPOSED_AT), negative: it cannot have one. */
  #find(at: number, length: number): number {
    this.#follow();
    const named = isNamed(at);
    for (let learned = 0; learned < LEARNED_MAX; learned++) {
      const shape = named ? seriesShapeOf(this.#root, at, length) : shapeOf(this.#root, at, length);
      if (shape !== NEW_TAG) return shape;
      if (!this.#learnTag(i32.load(this.#root + ROOT_AT), i32.load(this.#root + ROOT_SHAPE_LENGTH))) return -1;
    }
    return -1;
  }

  #learnTag(at: number, length: number): boolean {
    const root = this.#root;
    if (i32.load(root + ROOT_TAGS + TABLE_COUNT) >= ENTRIES_MAX) return false;
    const tag = allocate(root, TAG_BYTES + length + 4);
    if (tag === 0) return false;
    const text = heapBuffer.toString("latin1", at, at + length);
    const label = this.#options.label(text);
    const odd = label !== text || label === "__name__";
    i32.store(tag + TAG_LENGTH, length);
    i32.store(tag + TAG_FLAGS, odd ? TAG_ODD : this.#options.relevance(text, label) ? TAG_SEEN : TAG_UNSEEN);
    i32.store(tag + TAG_NAMED, text === "__name__" || this.#options.relevance(text, text) ? TAG_SEEN : TAG_UNSEEN);
    heap8.copyWithin(tag + TAG_BYTES, at, at + length);
    if (tableAdd(root, root + ROOT_TAGS, hashBytes(at, length), tag) === 1) return true;
    release(root, tag, TAG_BYTES + length + 4);
    return false;
  }

  /** Makes the Shape whose bytes are at COMPOSED_AT. */
  #addShape(): number {
    const root = this.#root;
    const length = i32.load(root + ROOT_SHAPE_LENGTH);
    if (i32.load(root + ROOT_SHAPES + TABLE_COUNT) >= ENTRIES_MAX) return 0;
    const shape = allocate(root, KEY_BYTES + length + 4);
    if (shape === 0) return 0;
    const from = root + COMPOSED_AT;
    i32.store(shape + KEY_LENGTH, length);
    heap8.copyWithin(shape + KEY_BYTES, from, from + length);
    if (tableAdd(root, root + ROOT_SHAPES, hashBytes(from, length), shape) === 1) return shape;
    release(root, shape, KEY_BYTES + length + 4);
    return 0;
  }

  /** Gives the targets of the Key's field number `place`, a copy of the Shape's field `like`, the Lasts they want. */
  #remember(key: number, place: number, like: number): void {
    const name = this.#names.get(i32.load(like + FIELD_TARGETS));
    if (name === undefined) return;
    const field = i32.load(key + KEY_FIELDS) + place * FIELD_BYTES;
    const targets = i32.load(field + FIELD_TARGETS);
    const hash = this.#seriesHash(key, name);
    for (let target = targets; target < targets + i32.load(field + FIELD_TARGET_COUNT) * TARGET_BYTES; target += TARGET_BYTES)
      if (i32.load(target + TARGET_LAST) === WANTS_LAST) this.#options.remember(target, hash);
  }

  /** XXH64 of the series' identity (sliceBytes.ts), from a plain key. */
  #seriesHash(key: number, name: Buffer): { readonly low: number; readonly high: number } {
    const start = key + KEY_BYTES;
    const end = start + i32.load(key + KEY_LENGTH);
    if (this.#identity.length < name.length + end - key) this.#identity = Buffer.allocUnsafe(2 * (name.length + end - key));
    const identity = this.#identity;
    identity.set(name);
    identity[name.length] = 0xff;
    const at = isNamed(start) ? this.#addLabels(start, end, name.length + 1) : this.#addTags(start, end, name.length + 1);
    xxh64Halves(identity.subarray(0, at), this.#halves, 0);
    return { low: (this.#halves[1] ?? 0) | 0, high: (this.#halves[0] ?? 0) | 0 };
  }

  /** Adds the labels of a series that came with its name, which are sorted, to the identity. Returns where they end. */
  #addLabels(from: number, end: number, to: number): number {
    let at = to;
    // Each is `0a len 0a len name 12 len value`; of two bytes is only the length of a label or of its value.
    for (let p = from + 2; p < end; ) {
      p += i32.load8_u(p + 1) < 0x80 ? 3 : 4;
      const name = p + 1;
      const nameEnd = name + i32.load8_u(p);
      const long = i32.load8_u(nameEnd + 1) >= 0x80;
      const value = nameEnd + (long ? 3 : 2);
      p = value + (long ? (i32.load8_u(nameEnd + 1) & 0x7f) + (i32.load8_u(nameEnd + 2) << 7) : i32.load8_u(nameEnd + 1));
      if (isNameLabel(name, nameEnd)) continue;
      at = this.#addText(name, nameEnd, at);
      at = this.#addText(value, p, at);
    }
    return at;
  }

  #addText(from: number, end: number, to: number): number {
    let at = to;
    for (let p = from; p < end; p++) this.#identity[at++] = i32.load8_u(p);
    this.#identity[at] = 0xff;
    return at + 1;
  }

  /** Adds the tags of a line's plain key to the identity. Returns where they end. */
  #addTags(from: number, end: number, to: number): number {
    const identity = this.#identity;
    let at = to;
    for (const tag of this.#sortedTags(from, end)) {
      for (let p = tag; p < end; p++) {
        const c = i32.load8_u(p);
        if (c === 0x2c) break;
        identity[at++] = c === 0x3d ? 0xff : c;
      }
      identity[at++] = 0xff;
    }
    return at;
  }

  /** Addresses of a plain key's tags, in the order of their names. Telegraf sorts them; other senders need not. */
  #sortedTags(from: number, end: number): readonly number[] {
    const tags = this.#tags;
    tags.length = 0;
    for (let p = from; p < end; p++) {
      if (i32.load8_u(p) !== 0x2c) continue;
      let place = tags.length;
      for (; place > 0 && isBefore(p + 1, tags[place - 1] ?? 0); place--) tags[place] = tags[place - 1] ?? 0;
      tags[place] = p + 1;
    }
    return tags;
  }
}

/** Whether key bytes are those of a series that came with its name. */
function isNamed(at: number): boolean {
  return i32.load8_u(at) === 10 && i32.load8_u(at + 1) === 10;
}

function isNameLabel(from: number, end: number): boolean {
  return end - from === NAME_LABEL.length && NAME_LABEL.every((byte, i) => i32.load8_u(from + i) === byte);
}

const NAME_LABEL = Buffer.from("__name__");

/** Whether one tag's name sorts before another's. Each ends at its `=`. */
function isBefore(a: number, b: number): boolean {
  for (let i = 0; ; i++) {
    const x = i32.load8_u(a + i);
    const y = i32.load8_u(b + i);
    if (x === y && x !== 0x3d) continue;
    return x === 0x3d || (y !== 0x3d && x < y);
  }
}
