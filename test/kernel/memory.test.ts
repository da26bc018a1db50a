// Plan: the allocator, the pages and the tables against plain Maps and Sets, on random sequences of operations: what is handed
// out is zeroed, never overlaps, stays as written, and is all there again when its owner is gone.
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { allocate, release, roomOf } from "#limpet/kernel/alloc.js";
import { ROOT_PAGES, TABLE_COUNT } from "#limpet/kernel/layout.js";
import { heap8, PAGE_BYTES } from "#limpet/kernel/memory.js";
import { closeOwner, openOwner, ownedBytes, returnPages, takePages } from "#limpet/kernel/pages.js";
import { tableAdd, tableAt, tableClear, tableOpen, tableProbe, tableRemove } from "#limpet/kernel/table.js";

const size = fc.oneof(
  fc.integer({ min: 1, max: 200 }),
  fc.integer({ min: 1, max: 5000 }),
  fc.constantFrom(1024, 1025, 2048, 2049, 32_767, 32_768, 32_769, 65_536, 200_000),
);
const operations = fc.array(fc.record({ bytes: size, keep: fc.boolean(), pick: fc.nat() }), { maxLength: 300, size: "max" });

describe("allocate", () => {
  test("allocate: any sequence of taking and giving back -> zeroed, aligned, disjoint, intact, within the cap", () => {
    fc.assert(
      fc.property(operations, (list) => {
        const root = openOwner(ROOT_PAGES, (ROOT_PAGES + 60) * PAGE_BYTES);
        const held: { at: number; bytes: number; mark: number }[] = [];
        for (const [i, { bytes, keep, pick }] of list.entries()) {
          const mark = (i % 255) + 1;
          const at = allocate(root, bytes);
          if (at !== 0) {
            expect([at % 8, heap8.subarray(at, at + bytes).every((byte) => byte === 0)]).toEqual([0, true]);
            heap8.fill(mark, at, at + bytes);
            held.push({ at, bytes, mark });
          } else expect(ownedBytes(root).bytes + bytes + 4 * PAGE_BYTES).toBeGreaterThan(ownedBytes(root).bytesMax);
          if (keep || held.length === 0) continue;
          const [gone] = held.splice(pick % held.length, 1);
          if (gone !== undefined) release(root, gone.at, gone.bytes);
        }
        held.sort((a, b) => a.at - b.at);
        for (const [i, { at, bytes, mark }] of held.entries()) {
          expect(heap8.subarray(at, at + bytes).every((byte) => byte === mark)).toBe(true);
          expect(at + roomOf(bytes)).toBeLessThanOrEqual(held[i + 1]?.at ?? Number.POSITIVE_INFINITY);
          expect(at).toBeGreaterThanOrEqual(root + ROOT_PAGES * PAGE_BYTES);
        }
        expect(ownedBytes(root).bytes).toBeLessThanOrEqual(ownedBytes(root).bytesMax);
        closeOwner(root);
      }),
      { numRuns: 100 },
    );
  });

  test("allocate: the same sizes again and again -> no new pages", () => {
    const root = openOwner(ROOT_PAGES, 2 ** 27);
    const round = (): void => {
      const all = Array.from({ length: 500 }, (_, i) => ({ bytes: ((i * 137) % 40_000) + 1, at: 0 }));
      for (const record of all) record.at = allocate(root, record.bytes);
      for (const { at, bytes } of all) release(root, at, bytes);
    };
    round();
    const before = ownedBytes(root).bytes;
    for (let i = 0; i < 20; i++) round();
    expect(ownedBytes(root).bytes).toBe(before);
    closeOwner(root);
  });
});

describe("pages", () => {
  test("pages: owners opened, grown and closed in any order -> disjoint, capped, and at the end everything is free again", () => {
    const probe = openOwner(1, PAGE_BYTES);
    closeOwner(probe);
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(5), fc.integer({ min: 1, max: 9 }), fc.nat()), { maxLength: 120 }), (steps) => {
        const owners: { root: number; runs: { at: number; pages: number }[] }[] = [];
        for (const [action, count, pick] of steps) {
          const owner = owners[pick % Math.max(1, owners.length)];
          if (action === 0 || owner === undefined) owners.push({ root: openOwner(count, 40 * PAGE_BYTES), runs: [] });
          else if (action < 4) {
            const at = takePages(owner.root, count);
            if (at !== 0) owner.runs.push({ at, pages: count });
            else expect(ownedBytes(owner.root).bytes + count * PAGE_BYTES).toBeGreaterThan(40 * PAGE_BYTES);
          } else if (action === 4) {
            const [run] = owner.runs.splice(0, 1);
            if (run !== undefined) returnPages(owner.root, run.at);
          } else {
            closeOwner(owner.root);
            owners.splice(owners.indexOf(owner), 1);
          }
          const runs = owners.flatMap(({ runs: own }) => own).sort((a, b) => a.at - b.at);
          for (const [i, { at, pages }] of runs.entries())
            expect(at + pages * PAGE_BYTES).toBeLessThanOrEqual(runs[i + 1]?.at ?? Number.POSITIVE_INFINITY);
        }
        for (const { root } of owners) closeOwner(root);
        const again = openOwner(1, PAGE_BYTES);
        expect(again).toBe(probe);
        closeOwner(again);
      }),
      { numRuns: 60 },
    );
  });

  test("pages: given back twice, of no engine -> an error, nothing changed", () => {
    const root = openOwner(1, 4 * PAGE_BYTES);
    const at = takePages(root, 2);
    returnPages(root, at);
    expect(() => returnPages(root, at)).toThrow(/no run of engine/);
    closeOwner(root);
    expect(() => takePages(root, 1)).toThrow(/no engine at/);
  });
});

describe("table", () => {
  test("table: any hashes, equal ones too, records removed -> every other record found under its hash, no other", () => {
    // Few distinct hashes with equal low bits: long runs, wrap-around.
    const hash = fc.oneof(
      fc.integer(),
      fc.integer({ min: -4, max: 4 }).map((i) => i * 1024 - 1),
    );
    fc.assert(
      fc.property(fc.array(hash, { maxLength: 400, size: "max" }), fc.nat(400), fc.nat(7), (hashes, clearAt, keep) => {
        const root = openOwner(ROOT_PAGES, 2 ** 24);
        const table = root;
        expect(tableOpen(root, table, 8)).toBe(1);
        let model = new Map<number, number[]>();
        for (const [i, value] of hashes.entries()) {
          if (i === clearAt) {
            tableClear(table);
            model = new Map();
          }
          expect(tableAdd(root, table, value, i + 1)).toBe(1);
          model.set(value, [...(model.get(value) ?? []), i + 1]);
          const [gone, ...left] = model.get(hashes[i >> 1] ?? 0) ?? [];
          if (i % 8 < keep || gone === undefined) continue;
          tableRemove(table, hashes[i >> 1] ?? 0, gone);
          model.set(hashes[i >> 1] ?? 0, left);
        }
        for (const value of [...hashes, 12_345]) {
          const found: number[] = [];
          for (let slot = tableProbe(table, value, -1); slot >= 0; slot = tableProbe(table, value, slot)) found.push(tableAt(table, slot));
          expect(found.sort((a, b) => a - b)).toEqual(model.get(value) ?? []);
        }
        expect(i32.load(table + TABLE_COUNT)).toBe([...model.values()].flat().length);
        closeOwner(root);
      }),
      { numRuns: 60 },
    );
  });
});
