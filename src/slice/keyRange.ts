// Half-open ranges of SliceKeys. A SliceKey is a uint32; the key space is [0, 2^32), so a range's end may be 2^32 itself.

/** `[low .. high)`. Invariant: 0 <= low < high <= KEY_END, both whole. */
export interface KeyRange {
  readonly low: number;
  readonly high: number;
}

export const KEY_END = 2 ** 32;
export const WHOLE: KeyRange = { low: 0, high: KEY_END };

/** A range from outside, or why it is none. */
export function parseKeyRange(low: number, high: number): KeyRange | undefined {
  const whole = Number.isSafeInteger(low) && Number.isSafeInteger(high);
  return whole && low >= 0 && low < high && high <= KEY_END ? { low, high } : undefined;
}

export function contains({ low, high }: KeyRange, key: number): boolean {
  return key >= low && key < high;
}

export function width({ low, high }: KeyRange): number {
  return high - low;
}

/** How many keys disjoint ranges hold. */
export function keysIn(ranges: readonly KeyRange[]): number {
  let keys = 0;
  for (const { low, high } of ranges) keys += high - low;
  return keys;
}

/** What two ranges share; undefined: nothing. */
export function overlap(a: KeyRange, b: KeyRange): KeyRange | undefined {
  const low = Math.max(a.low, b.low);
  const high = Math.min(a.high, b.high);
  return low < high ? { low, high } : undefined;
}

/** What two sorted, disjoint lists share; sorted. */
export function shared(a: readonly KeyRange[], b: readonly KeyRange[]): KeyRange[] {
  const result: KeyRange[] = [];
  let i = 0;
  let j = 0;
  for (;;) {
    const one = a[i];
    const other = b[j];
    if (one === undefined || other === undefined) return result;
    const both = overlap(one, other);
    if (both !== undefined) result.push(both);
    if (one.high <= other.high) i++;
    else j++;
  }
}

/** Sorted, with touching ones joined. */
export function joined(ranges: readonly KeyRange[]): KeyRange[] {
  const result: KeyRange[] = [];
  for (const range of ranges.toSorted((a, b) => a.low - b.low)) {
    const last = result.at(-1);
    if (last === undefined || last.high < range.low) result.push({ low: range.low, high: range.high });
    else result[result.length - 1] = { low: last.low, high: Math.max(last.high, range.high) };
  }
  return result;
}

/** What of `from` none of `taken` covers; sorted. */
export function without(from: readonly KeyRange[], taken: readonly KeyRange[]): KeyRange[] {
  const holes = joined(taken);
  const result: KeyRange[] = [];
  for (const { low, high } of joined(from)) {
    let at = low;
    for (const hole of holes) {
      if (hole.high <= at || hole.low >= high) continue;
      if (hole.low > at) result.push({ low: at, high: hole.low });
      at = Math.max(at, hole.high);
    }
    if (at < high) result.push({ low: at, high });
  }
  return result;
}

/** As people read it: `1000000-2000000`, in hex of 8 digits. */
export function formatKeyRange({ low, high }: KeyRange): string {
  return `${hex(low)}-${hex(high)}`;
}

function hex(key: number): string {
  return key.toString(16).padStart(8, "0");
}
