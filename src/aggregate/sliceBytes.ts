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

/** A Group's identity: its labels in row form (metric/rowBlock.ts), then the stem. The bytes are valid until the next call. */
export function identityBytes(labels: readonly (readonly [string, string])[], stem: string): Buffer {
  let at = scratch.writeUInt16LE(labels.length, 0);
  for (const [label, value] of labels) {
    reserve(label, at);
    const labelBytes = scratch.write(label, at + 2);
    at = scratch.writeUInt16LE(labelBytes, at) + labelBytes;
    reserve(value, at);
    const valueBytes = scratch.write(value, at + 4);
    at = scratch.writeUInt32LE(valueBytes, at) + valueBytes;
  }
  reserve(stem, at);
  return scratch.subarray(0, at + scratch.write(stem, at));
}
