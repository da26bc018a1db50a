// Ranges, range maps: compared with a model that has a value for each of 64 keys.
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { formatKeyRange, joined, KEY_END, type KeyRange, overlap, parseKeyRange, without } from "#limpet/slice/keyRange.js";
import { RangeMap } from "#limpet/slice/rangeMap.js";

const KEYS = 64;
const ranges = fc.array(
  fc.tuple(fc.nat(KEYS - 1), fc.nat(KEYS - 1)).map(([a, b]): KeyRange => ({ low: Math.min(a, b), high: Math.max(a, b) + 1 })),
  { maxLength: 8 },
);

function keysOf(list: readonly KeyRange[]): number[] {
  return Array.from({ length: KEYS }, (_, key) => key).filter((key) => list.some(({ low, high }) => key >= low && key < high));
}

function isTidy(list: readonly KeyRange[]): boolean {
  return list.every(({ low, high }, i) => low < high && (i === 0 || (list[i - 1]?.high ?? 0) < low));
}

describe("key ranges", () => {
  it("joined: any ranges -> the same keys, sorted and apart", () => {
    fc.assert(
      fc.property(ranges, (list) => {
        expect(keysOf(joined(list))).toEqual(keysOf(list));
        expect(isTidy(joined(list))).toBe(true);
      }),
    );
  });

  it("without: any two lists -> the keys of the first that the second lacks", () => {
    fc.assert(
      fc.property(ranges, ranges, (from, taken) => {
        const left = without(from, taken);
        const gone = new Set(keysOf(taken));
        expect(keysOf(left)).toEqual(keysOf(from).filter((key) => !gone.has(key)));
        expect(isTidy(left)).toBe(true);
      }),
    );
  });

  it("overlap: two ranges -> the keys of both", () => {
    expect(overlap({ low: 0, high: 5 }, { low: 3, high: 9 })).toEqual({ low: 3, high: 5 });
    expect(overlap({ low: 0, high: 5 }, { low: 5, high: 9 })).toBeUndefined();
  });

  it.each([
    [0, KEY_END, true],
    [5, 5, false],
    [6, 5, false],
    [-1, 5, false],
    [0, KEY_END + 1, false],
    [0.5, 5, false],
  ])("parseKeyRange: %d, %d -> %s", (low, high, good) => {
    expect(parseKeyRange(low, high) !== undefined).toBe(good);
  });

  it("formatKeyRange: the whole space -> its end has nine digits", () => {
    expect(formatKeyRange({ low: 0, high: KEY_END })).toBe("00000000-100000000");
  });
});

describe("range map", () => {
  it("update: any changes -> as a value per key, neighbours joined", () => {
    const changes = fc.array(fc.tuple(ranges, fc.nat(3)), { maxLength: 6 });
    fc.assert(
      fc.property(changes, (steps) => {
        const map = new RangeMap(0);
        const model = new Array<number>(KEYS).fill(0);
        for (const [list, by] of steps) {
          for (const range of list) {
            map.update(range, (value) => (value + by) % 4);
            for (let key = range.low; key < range.high; key++) model[key] = ((model[key] ?? 0) + by) % 4;
          }
        }
        expect(model.map((_, key) => map.at(key))).toEqual(model);
        const entries = map.entries();
        expect(entries[0]?.low).toBe(0);
        expect(entries.at(-1)?.high).toBe(KEY_END);
        for (const [i, entry] of entries.entries()) {
          if (i === 0) continue;
          expect(entry.low).toBe(entries[i - 1]?.high);
          expect(entry.value).not.toBe(entries[i - 1]?.value);
        }
      }),
    );
  });

  it("within: a range -> its parts, cut to it", () => {
    const map = new RangeMap("a");
    map.update({ low: 10, high: 20 }, () => "b");
    expect(map.within({ low: 5, high: 15 })).toEqual([
      { low: 5, high: 10, value: "a" },
      { low: 10, high: 15, value: "b" },
    ]);
  });
});
