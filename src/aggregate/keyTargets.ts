// What the Fields of a Key point at: whether it is still there, and how it is let go.
import { release } from "../kernel/alloc.js";
import {
  FIELD_BYTES,
  FIELD_PASS,
  FIELD_TARGET_COUNT,
  FIELD_TARGETS,
  GROUP_STATE,
  KEY_EPOCH,
  KEY_FIELD_COUNT,
  KEY_FIELDS,
  LAST_GROUP,
  PASS_ROWS,
  ROOT_CHANGED,
  ROOT_EPOCH,
  ROOT_PASS,
  ROOT_SERIES,
  ROOT_STALE,
  TARGET_BYTES,
  TARGET_GROUP,
  TARGET_LAST,
} from "../kernel/layout.js";
import { countSeries } from "../kernel/shape.js";
import { isDead } from "./part.js";

/** Whether a Key points at a dead record, or at a refusal that may not be one any more; when Parts have changed, also: at none of them. */
export function isObsolete(key: number, partsChanged: boolean): boolean {
  const fields = i32.load(key + KEY_FIELDS);
  const end = fields + i32.load(key + KEY_FIELD_COUNT) * FIELD_BYTES;
  for (let field = fields; field < end; field += FIELD_BYTES) {
    const targets = i32.load(field + FIELD_TARGETS);
    const count = i32.load(field + FIELD_TARGET_COUNT);
    for (let target = targets; target < targets + count * TARGET_BYTES; target += TARGET_BYTES) {
      const group = i32.load(target + TARGET_GROUP);
      const last = i32.load(target + TARGET_LAST);
      if (group === 0) {
        if (last !== 0 || partsChanged) return true;
      } else if (isDead(group) || (last !== 0 && i32.load(last + LAST_GROUP) === 0)) return true;
    }
  }
  return false;
}

/**
 * A Key is used: if Parts have changed or a sweep has marked something since it was last, and it points at what has gone, its Fields
 * are to be admitted anew. One that the sweep was about to free lives on.
 */
export function refreshKey(root: number, key: number): void {
  const used = i32.load(key + KEY_EPOCH);
  const partsChanged = used < i32.load(root + ROOT_CHANGED);
  if (used < i32.load(root + ROOT_STALE) && isObsolete(key, partsChanged)) forgetFields(root, key);
  i32.store(key + KEY_EPOCH, i32.load(root + ROOT_EPOCH));
}

/** Takes all Fields off a Key; its next line admits them anew. The room for them stays. */
export function forgetFields(root: number, key: number): void {
  const fields = i32.load(key + KEY_FIELDS);
  const end = fields + i32.load(key + KEY_FIELD_COUNT) * FIELD_BYTES;
  const passRows = (i32.load(root + ROOT_PASS) & PASS_ROWS) !== 0;
  for (let field = fields; field < end; field += FIELD_BYTES) {
    const labels = passRows ? i32.load(field + FIELD_PASS) : 0;
    if (labels !== 0) release(root, labels, 4 + i32.load(labels));
    const count = i32.load(field + FIELD_TARGET_COUNT);
    if (count === 0) continue;
    const targets = i32.load(field + FIELD_TARGETS);
    for (let target = targets; target < targets + count * TARGET_BYTES; target += TARGET_BYTES) {
      const group = i32.load(target + TARGET_GROUP);
      // Targets without a Last are what a rule without counters counts as its series. Those of a marked Group are not counted any more.
      if (group !== 0 && i32.load(target + TARGET_LAST) === 0 && i32.load(group + GROUP_STATE) !== -1) countSeries(group, -1);
    }
    release(root, targets, count * TARGET_BYTES);
    i32.store(root + ROOT_SERIES, i32.load(root + ROOT_SERIES) - 1);
  }
  i32.store(key + KEY_FIELD_COUNT, 0);
}
