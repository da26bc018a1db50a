// The Shape (shape.ts) of a series that comes with its labels: two newlines and label bytes as remote write 1.0 has them, of the
// labels that rules look at, and the name.
//
//   \n\n  0a len (0a len __name__ 12 len cpu_x)  0a len (0a len host 12 len web-1)  0a len (0a len region 12 len eu)
//   \n\n  0a len (0a len __name__ 12 len cpu_x)                                     0a len (0a len region 12 len eu)
//
// Only plainly written ones have one: ASCII, name before value, neither empty, sorted by name and so none twice, no name longer
// than 127 bytes and no label longer than 16 383. bench: seriesIn.
import {
  COMPOSED_AT,
  KEY_FIELD_COUNT,
  KEY_FIELDS,
  ROOT_AT,
  ROOT_SHAPE_LENGTH,
  ROOT_SHAPES,
  SCRATCH_AT,
  TAG_NAMED,
  TAG_SEEN,
  VALUE,
} from "./layout.js";
import { copy } from "./leaf.js";
import { findRecord, hashBytes } from "./reader.js";
import { findTag, isCapped, NEW_TAG } from "./shape.js";

/** The length at `at`, of one or two bytes, and VALUE: where they end (i32); -1 when it is longer. */
function lengthAt(at: i32): i32 {
  const low: i32 = i32.load8_u(at);
  if (low < 128) {
    i32.store(VALUE, at + 1);
    return low;
  }
  const high: i32 = i32.load8_u(at + 1);
  i32.store(VALUE, at + 2);
  return high < 128 ? low - 128 + (high << 7) : -1;
}

function isAscii(at: i32, length: i32): i32 {
  let p: i32 = at;
  const end: i32 = at + length;
  while (p < end) {
    if (i32.load8_u(p) >= 128) return 0;
    p = p + 1;
  }
  return 1;
}

/** Whether the name at `a` sorts before the one at `b`, by bytes. */
function sortsBefore(a: i32, aLength: i32, b: i32, bLength: i32): i32 {
  const shorter: i32 = aLength < bLength ? aLength : bLength;
  for (let i: i32 = 0; i < shorter; i = i + 1) {
    const difference: i32 = i32.load8_u(a + i) - i32.load8_u(b + i);
    if (difference != 0) return difference < 0 ? 1 : 0;
  }
  return aLength < bLength ? 1 : 0;
}

/**
 * Writes the Shape bytes of the key at `at` to COMPOSED_AT, their length to ROOT_SHAPE_LENGTH. Returns the Shape, 0 when there is
 * none yet, -1 when the key is not plain, NEW_TAG (ROOT_AT, ROOT_SHAPE_LENGTH: the name of a label that is not in the tag table).
 */
export function seriesShapeOf(root: i32, at: i32, length: i32): i32 {
  const end: i32 = at + length;
  const shape: i32 = root + COMPOSED_AT;
  let out: i32 = shape + 2;
  let p: i32 = at + 2;
  let before: i32 = p;
  let beforeLength: i32 = 0;
  i32.store8(shape, 10);
  i32.store8(shape + 1, 10);
  while (p < end) {
    const size: i32 = lengthAt(p + 1);
    const label: i32 = i32.load(VALUE);
    const next: i32 = label + size;
    if (i32.load8_u(p) != 10 || size < 0 || next > end || i32.load8_u(label) != 10) return -1;
    const name: i32 = label + 2;
    const nameLength: i32 = i32.load8_u(label + 1);
    const valueTag: i32 = name + nameLength;
    if (nameLength == 0 || nameLength >= 128 || valueTag >= next || i32.load8_u(valueTag) != 18) return -1;
    const valueLength: i32 = lengthAt(valueTag + 1);
    const value: i32 = i32.load(VALUE);
    if (valueLength <= 0 || value + valueLength != next) return -1;
    if (isAscii(name, nameLength) == 0 || isAscii(value, valueLength) == 0) return -1;
    if (sortsBefore(before, beforeLength, name, nameLength) == 0) return -1;
    const tag: i32 = findTag(root, name, nameLength);
    if (tag == 0) {
      i32.store(root + ROOT_AT, name);
      i32.store(root + ROOT_SHAPE_LENGTH, nameLength);
      return NEW_TAG;
    }
    if (i32.load(tag + TAG_NAMED) == TAG_SEEN) {
      copy(out, p, next - p);
      out = out + (next - p);
    }
    before = name;
    beforeLength = nameLength;
    p = next;
  }
  i32.store(root + ROOT_SHAPE_LENGTH, out - shape);
  return findRecord(root + ROOT_SHAPES, shape, out - shape, hashBytes(shape, out - shape));
}

/** Puts the one Field of a series' Shape into the scratch area. Returns 1, or -1 when it has none or some rule may have no room for it. */
export function fieldLike(root: i32, shape: i32): i32 {
  if (i32.load(shape + KEY_FIELD_COUNT) != 1) return -1;
  const field: i32 = i32.load(shape + KEY_FIELDS);
  if (isCapped(field, 0) == 1) return -1;
  i32.store(root + SCRATCH_AT, field);
  return 1;
}
