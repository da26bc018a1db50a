// Shapes: what rules can see of a key. Most tags of a fleet (host, pod) are looked at by no rule, so thousands of Keys feed the
// same Groups; the first of them is admitted by the book (src/aggregate), and leaves a Shape from which the others are copied.
//
//   cpu,host=web-1,region=eu,service=cart   ─▶ cpu,region=eu,service=cart   when rules look at region and service alone
//
// A Shape is laid out as a Key: its bytes, and Fields whose targets have the Group, and WANTS_LAST where each Series has a
// Last of its own. Only plainly spelled keys have one: ASCII, no tag twice, tags named as their labels, no escapes
// but of spaces in the measurement.
// bench: admit.
import { allocate, release } from "./alloc.js";
import {
  COMPOSED_AT,
  FIELD_BYTES,
  FIELD_NAME,
  FIELD_NAME_LENGTH,
  FIELD_PASS,
  FIELD_TARGET_COUNT,
  FIELD_TARGETS,
  GROUP_LEDGER,
  GROUP_SERIES,
  KEY_FIELD_COUNT,
  KEY_FIELD_MAX,
  KEY_FIELDS,
  LEDGER_RULE,
  LEDGER_SERIES_COUNT,
  ROOT_AT,
  ROOT_SERIES,
  ROOT_SHAPE_LENGTH,
  ROOT_SHAPES,
  ROOT_TAG_MARK,
  ROOT_TAGS,
  RULE_SERIES,
  RULE_SERIES_MAX,
  SCRATCH_AT,
  SCRATCH_BYTES,
  SCRATCH_MAX,
  TAG_BYTES,
  TAG_FLAGS,
  TAG_LENGTH,
  TAG_MARK,
  TAG_ODD,
  TAG_SEEN,
  TARGET_BYTES,
  TARGET_GROUP,
  TARGET_LAST,
} from "./layout.js";
import { copy } from "./leaf.js";
import { equalBytes, fieldNamed, findRecord, hashBytes, isRepeated } from "./reader.js";
import { tableAt, tableProbe } from "./table.js";
import { readValue } from "./value.js";

/** In a Shape's target: each Key needs a Last there. */
export const WANTS_LAST: i32 = 1;
/** Answer of shapeOf: ROOT_AT is at a tag's name that is not in the tag table, ROOT_SHAPE_LENGTH its length. */
export const NEW_TAG: i32 = -2;

/** Address of the byte that ends the plain text at `at`: the first one at or after it that is `stop`, a comma, or not plain. */
function plainEnd(at: i32, end: i32, stop: i32): i32 {
  let p: i32 = at;
  while (p < end) {
    const c: i32 = i32.load8_u(p);
    if (c == stop || c == 44 || c <= 32 || c >= 127 || c == 92) return p;
    p = p + 1;
  }
  return p;
}

/** As plainEnd, of a measurement, which may have escaped spaces. */
function measurementEnd(at: i32, end: i32): i32 {
  let p: i32 = plainEnd(at, end, 44);
  while (p < end && i32.load8_u(p) == 92 && i32.load8_u(p + 1) == 32) p = plainEnd(p + 2, end, 44);
  return p;
}

/** The tag record of the name at `at`, 0 when there is none. */
export function findTag(root: i32, at: i32, length: i32): i32 {
  const table: i32 = root + ROOT_TAGS;
  const hash: i32 = hashBytes(at, length);
  let slot: i32 = tableProbe(table, hash, -1);
  while (slot >= 0) {
    const tag: i32 = tableAt(table, slot);
    if (i32.load(tag + TAG_LENGTH) == length && equalBytes(at, tag + TAG_BYTES, length) == 1) return tag;
    slot = tableProbe(table, hash, slot);
  }
  return 0;
}

/**
 * Writes the Shape bytes of the key at `at` to COMPOSED_AT, their length to ROOT_SHAPE_LENGTH. Returns the Shape, 0 when there is
 * none yet, -1 when the key is not plain, NEW_TAG.
 */
export function shapeOf(root: i32, at: i32, length: i32): i32 {
  const end: i32 = at + length;
  const shape: i32 = root + COMPOSED_AT;
  let p: i32 = measurementEnd(at, end);
  if (p == at) return -1;
  let out: i32 = shape + (p - at);
  copy(shape, at, p - at);
  const mark: i32 = i32.load(root + ROOT_TAG_MARK) + 1;
  i32.store(root + ROOT_TAG_MARK, mark);
  for (;;) {
    if (p == end) break;
    if (i32.load8_u(p) != 44) return -1;
    const name: i32 = p + 1;
    const equals: i32 = plainEnd(name, end, 61);
    if (equals == name || equals == end || i32.load8_u(equals) != 61) return -1;
    const tag: i32 = findTag(root, name, equals - name);
    if (tag == 0) {
      i32.store(root + ROOT_AT, name);
      i32.store(root + ROOT_SHAPE_LENGTH, equals - name);
      return NEW_TAG;
    }
    const flags: i32 = i32.load(tag + TAG_FLAGS);
    // The mark of this key: the tag stands in it twice.
    if (flags == TAG_ODD || i32.load(tag + TAG_MARK) == mark) return -1;
    i32.store(tag + TAG_MARK, mark);
    const next: i32 = plainEnd(equals + 1, end, 61);
    if (next == equals + 1) return -1;
    if (flags == TAG_SEEN) {
      copy(out, p, next - p);
      out = out + (next - p);
    }
    p = next;
  }
  i32.store(root + ROOT_SHAPE_LENGTH, out - shape);
  return findRecord(root + ROOT_SHAPES, shape, out - shape, hashBytes(shape, out - shape));
}

/** Whether a rule that wants the field may have no room for its series beside those of `count` others: whom to refuse is not ours. */
export function isCapped(field: i32, count: i32): i32 {
  const targetCount: i32 = i32.load(field + FIELD_TARGET_COUNT);
  if (targetCount == 0) return 0;
  const targets: i32 = i32.load(field + FIELD_TARGETS);
  for (let i: i32 = 0; i < targetCount; i = i + 1) {
    const group: i32 = i32.load(targets + i * TARGET_BYTES + TARGET_GROUP);
    if (group == 0) continue;
    const rule: i32 = i32.load(i32.load(group + GROUP_LEDGER) + LEDGER_RULE);
    if (i32.load(rule + RULE_SERIES) + count >= i32.load(rule + RULE_SERIES_MAX)) return 1;
  }
  return 0;
}

/**
 * Puts the Shape's Fields for the fields of the line at `from` into the scratch area, but those the Key (0: none yet) has. Returns
 * their number, -1 when a field is not the Shape's or not plain, or some rule may have no room for it.
 */
export function fieldsLike(root: i32, key: i32, shape: i32, from: i32, end: i32): i32 {
  let q: i32 = from;
  let expected: i32 = 0;
  let count: i32 = 0;
  for (;;) {
    const place: i32 = fieldNamed(shape, q, expected);
    if (place < 0 || count == SCRATCH_MAX) return -1;
    const field: i32 = i32.load(shape + KEY_FIELDS) + place * FIELD_BYTES;
    if (isRepeated(root, field, count) == 1 || isCapped(field, count) == 1) return -1;
    if (key == 0 || fieldNamed(key, q, place) < 0) {
      i32.store(root + SCRATCH_AT + count * SCRATCH_BYTES, field);
      count = count + 1;
    }
    q = readValue(q + i32.load(field + FIELD_NAME_LENGTH), end);
    if (q == 0) return -1;
    if (i32.load8_u(q) != 44) break;
    q = q + 1;
    expected = place + 1;
  }
  return count;
}

/** Room for `count` more Fields behind those of the Key; 0 without memory. */
export function roomForFields(root: i32, key: i32, count: i32): i32 {
  const fields: i32 = i32.load(key + KEY_FIELDS);
  const used: i32 = i32.load(key + KEY_FIELD_COUNT);
  const max: i32 = i32.load(key + KEY_FIELD_MAX);
  if (used + count <= max) return fields + used * FIELD_BYTES;
  // The fields of a line come together; a field on its own is one of those that are now and then there.
  const grown: i32 = used == 0 ? count : used + count + (used >> 1);
  const at: i32 = allocate(root, grown * FIELD_BYTES);
  if (at == 0) return 0;
  if (max > 0) {
    copy(at, fields, used * FIELD_BYTES);
    release(root, fields, max * FIELD_BYTES);
  }
  i32.store(key + KEY_FIELDS, at);
  i32.store(key + KEY_FIELD_MAX, grown);
  return at + used * FIELD_BYTES;
}

/** Adds the `count` Fields of the scratch area to the Key; targets that want a Last say so still. Returns 1, or 0 without memory. */
export function copyFields(root: i32, key: i32, count: i32): i32 {
  let field: i32 = roomForFields(root, key, count);
  if (field == 0) return 0;
  for (let i: i32 = 0; i < count; i = i + 1) {
    const from: i32 = i32.load(root + SCRATCH_AT + i * SCRATCH_BYTES);
    const targetCount: i32 = i32.load(from + FIELD_TARGET_COUNT);
    let targets: i32 = i32.load(from + FIELD_TARGETS);
    if (targetCount != 0) {
      targets = copyTargets(root, targets, targetCount);
      if (targets == 0) return 0;
      i32.store(root + ROOT_SERIES, i32.load(root + ROOT_SERIES) + 1);
    }
    i32.store(field + FIELD_NAME, i32.load(from + FIELD_NAME));
    i32.store(field + FIELD_NAME_LENGTH, i32.load(from + FIELD_NAME_LENGTH));
    i32.store(field + FIELD_TARGETS, targets);
    i32.store(field + FIELD_TARGET_COUNT, targetCount);
    i32.store(field + FIELD_PASS, i32.load(from + FIELD_PASS));
    i32.store(key + KEY_FIELD_COUNT, i32.load(key + KEY_FIELD_COUNT) + 1);
    field = field + FIELD_BYTES;
  }
  return 1;
}

/** Counts input series of a Group: in it, in its Ledger and in its rule. */
export function countSeries(group: i32, more: i32): void {
  const ledger: i32 = i32.load(group + GROUP_LEDGER);
  const rule: i32 = i32.load(ledger + LEDGER_RULE);
  i32.store(group + GROUP_SERIES, i32.load(group + GROUP_SERIES) + more);
  i32.store(ledger + LEDGER_SERIES_COUNT, i32.load(ledger + LEDGER_SERIES_COUNT) + more);
  i32.store(rule + RULE_SERIES, i32.load(rule + RULE_SERIES) + more);
}

function copyTargets(root: i32, from: i32, count: i32): i32 {
  const at: i32 = allocate(root, count * TARGET_BYTES);
  if (at == 0) return 0;
  for (let i: i32 = 0; i < count; i = i + 1) {
    const offset: i32 = i * TARGET_BYTES;
    const group: i32 = i32.load(from + offset + TARGET_GROUP);
    const last: i32 = i32.load(from + offset + TARGET_LAST);
    // Lasts are counted when they are made.
    if (last == 0 && group != 0) countSeries(group, 1);
    i32.store(at + offset + TARGET_GROUP, group);
    i32.store(at + offset + TARGET_LAST, last);
  }
  return at;
}
