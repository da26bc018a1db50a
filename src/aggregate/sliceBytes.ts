// Identities as bytes. Those whose XXH64 is a SliceKey (its top 32 bits) or names a Series: `stem 0xFF (label 0xFF value 0xFF)*`, labels sorted.
// 0xFF never occurs in UTF-8, so no two identities share their bytes.

let scratch = Buffer.allocUnsafe(4096);

/** Room for `text` and 16 bytes more behind `at`. */
function reserve(text: string, at: number): void {
  const needed = at + text.length * 3 + 16;
  if (needed <= scratch.length) return;
  const grown = Buffer.allocUnsafe(needed * 2);
  scratch.copy(grown, 0, 0, at);
  scratch = grown;
}

function write(text: string, at: number): number {
  reserve(text, at);
  const end = at + scratch.write(text, at);
  scratch[end] = 0xff;
  return end + 1;
}

/** Identity of a Series. The bytes are valid until the next call. */
export function seriesBytes(name: string, labels: readonly (readonly [string, string])[]): Uint8Array {
  let at = write(name, 0);
  for (const [label, value] of labels) at = write(value, write(label, at));
  return scratch.subarray(0, at);
}

/** What SliceKeys are the hash of: without le, quantile and vmrange, which belong to one output (PROTOCOL, State rules). */
export function sliceBytes(stem: string, labels: readonly (readonly [string, string])[]): Uint8Array {
  let at = write(stem, 0);
  for (const [label, value] of labels) if (!OUTPUT_LABELS.has(label)) at = write(value, write(label, at));
  return scratch.subarray(0, at);
}

const OUTPUT_LABELS: ReadonlySet<string> = new Set(["le", "quantile", "vmrange"]);

/** The labels of a Group, encoded once for the Groups of all metrics that have them. */
export interface GroupLabels {
  /** In row form (metric/rowBlock.ts): what a Group's identity begins with. */
  readonly row: Buffer;
  /** As they enter the SliceKey. */
  readonly slice: Buffer;
}

/** Groups of all metrics of a line have the same labels: the last ones are remembered. They must not be changed. */
let lastLabels: readonly (readonly [string, string])[] | undefined;
let lastEncoded: GroupLabels = { row: Buffer.alloc(2), slice: Buffer.alloc(0) };

export function groupLabels(labels: readonly (readonly [string, string])[]): GroupLabels {
  if (labels !== lastLabels) {
    lastEncoded = encode(labels);
    lastLabels = labels;
  }
  return lastEncoded;
}

function encode(labels: readonly (readonly [string, string])[]): GroupLabels {
  const slice = Buffer.from(sliceBytes("", labels).subarray(1));
  let at = scratch.writeUInt16LE(labels.length, 0);
  for (const [label, value] of labels) {
    reserve(label, at);
    const labelBytes = scratch.write(label, at + 2);
    at = scratch.writeUInt16LE(labelBytes, at) + labelBytes;
    reserve(value, at);
    const valueBytes = scratch.write(value, at + 4);
    at = scratch.writeUInt32LE(valueBytes, at) + valueBytes;
  }
  return { row: Buffer.from(scratch.subarray(0, at)), slice };
}

/** What sliceBytes() gives for the stem and the labels. `stem` ends in 0xFF. The bytes are valid until the next call. */
export function sliceBytesFrom(stem: Uint8Array, { slice }: GroupLabels): Uint8Array {
  return joined(stem, slice);
}

/** A Group's identity: its labels in row form, then the stem. The bytes are valid until the next call. */
export function identityBytes({ row }: GroupLabels, stem: Uint8Array): Buffer {
  return joined(row, stem);
}

function joined(a: Uint8Array, b: Uint8Array): Buffer {
  const length = a.length + b.length;
  if (length > scratch.length) scratch = Buffer.allocUnsafe(2 * length);
  scratch.set(a);
  scratch.set(b, a.length);
  return scratch.subarray(0, length);
}
