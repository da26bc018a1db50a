// Plan: a range that another engine copies while it is served, and takes over with the last increment, goes on there as if it had
// never moved, whatever changed in between, and however Parts were cut here and there. Copies come twice, late, and not at all.
import { afterEach, describe, expect, test } from "@jest/globals";
import { changedBytes, receiveCopy, takeCopy } from "#limpet/aggregate/copy.js";
import type { Engine } from "#limpet/aggregate/engine.js";
import { KEY_END, type KeyRange } from "#limpet/slice/keyRange.js";
import { seededRandom } from "../reference/seededRandom.js";
import { counts, drain, FLEET_RULES, run } from "./fleet.js";
import { disposeEngines, imbalance, openEngine, tick } from "./openEngine.js";

afterEach(disposeEngines);

const START = { startMs: 100_000 };
const RANGE: KeyRange = { low: KEY_END * 0.3, high: KEY_END * 0.8 };

function setMode(engine: Engine, range: KeyRange, mode: "frozen" | "serving"): void {
  for (const part of engine.parts.cut(range) ?? []) engine.parts.setMode(part, mode);
}

/** Numbered copies of a range on their way. */
class Mover {
  #number = 0;
  #mark = 0;
  readonly sent: Uint8Array[] = [];
  readonly from: Engine;
  readonly range: KeyRange;
  readonly term: string;

  constructor(from: Engine, range: KeyRange, term = "2.7") {
    this.from = from;
    this.range = range;
    this.term = term;
  }

  copy(full = this.#number === 0): Uint8Array {
    this.#number++;
    const copy = takeCopy(this.from, this.range, { term: this.term, number: this.#number }, full ? {} : { since: this.#mark });
    if (copy === undefined) throw new Error("no memory");
    this.#mark = copy.mark;
    this.sent.push(copy.bytes);
    return copy.bytes;
  }

  get mark(): number {
    return this.#mark;
  }
}

function pair(): readonly [Engine, Engine, Engine] {
  const both = [openEngine(FLEET_RULES, START), openEngine(FLEET_RULES, START)] as const;
  both[1].parts.drop({ low: 0, high: KEY_END });
  return [openEngine(FLEET_RULES, START), ...both];
}

function handOver(from: Engine, to: Engine, mover: Mover, nowMs: number): void {
  setMode(from, mover.range, "frozen");
  expect(receiveCopy(to, mover.copy(), nowMs).kind).toBe("taken");
  from.parts.drop(mover.range);
  setMode(to, mover.range, "serving");
}

describe("copy", () => {
  test.each([1, 2, 3, 4, 5, 6])("copy: increments at random seconds, parts cut at random (seed %d) -> the rows and pairs of one engine", (seed) => {
    const random = seededRandom(seed);
    const [plain, from, to] = pair();
    const expected = [...run([plain], 0, 60), ...drain([plain])];
    const mover = new Mover(from, RANGE);
    const rows: string[] = [];
    const moveAt = 10 + Math.floor(random() * 40);
    for (let i = 0; i < 60; i++) {
      if (i < moveAt && random() < 0.4)
        expect(receiveCopy(to, mover.copy(random() < 0.1 || i === 0 || mover.sent.length === 0), i).kind).toBe("taken");
      if (random() < 0.2) from.parts.split(Math.floor(random() * KEY_END));
      if (random() < 0.2) from.parts.merge();
      if (i === moveAt) handOver(from, to, mover, i);
      rows.push(...run([from, to], i, i + 1));
      for (const engine of [from, to]) expect(imbalance(engine)).toEqual([0, 0, 0, 0, 0]);
    }
    expect([...rows.sort(), ...drain([from, to])]).toEqual(expected);
    expect(counts([from, to])).toEqual(counts([plain]));
  });

  test("copy: windows that close between two copies, without a sample -> closed there too, totals and all", () => {
    const [plain, from, to] = pair();
    const mover = new Mover(from, RANGE);
    run([plain, from], 0, 5);
    receiveCopy(to, mover.copy(), 0);
    expect(tick(from, 130_000)).toEqual(tick(plain, 130_000));
    handOver(from, to, mover, 0);
    expect(drain([from, to])).toEqual(drain([plain]));
  });

  test("copy: as long as it is one -> yields no rows and counts nothing", () => {
    const [plain, from, to] = pair();
    const mover = new Mover(from, RANGE);
    run([from], 0, 5);
    receiveCopy(to, mover.copy(), 0);
    expect(run([to], 5, 40)).toEqual([]);
    expect(counts([to])).toEqual(counts([openEngine(FLEET_RULES, START)]));
    expect(run([plain], 0, 5)).toEqual([]);
  });

  test("copy: twice, late, with one missing, of another term -> known, known, send full, send full", () => {
    const [, from, to] = pair();
    const mover = new Mover(from, RANGE);
    run([from], 0, 3);
    const first = mover.copy();
    run([from], 3, 4);
    const second = mover.copy();
    const third = mover.copy();
    expect(receiveCopy(to, second, 0).kind).toBe("send_full");
    expect(receiveCopy(to, first, 0).kind).toBe("taken");
    expect(receiveCopy(to, third, 0).kind).toBe("send_full");
    expect(receiveCopy(to, second, 0).kind).toBe("taken");
    expect(receiveCopy(to, first, 0).kind).toBe("known");
    expect(receiveCopy(to, second, 0).kind).toBe("known");
    const other = new Mover(from, RANGE, "2.8");
    other.copy();
    expect(receiveCopy(to, other.copy(), 0).kind).toBe("send_full");
    expect(receiveCopy(to, other.copy(true), 0).kind).toBe("taken");
    expect(receiveCopy(from, second, 0).kind).toBe("refused");
  });

  test("copy: damaged -> refused as such, what was there stays", () => {
    const [, from, to] = pair();
    const mover = new Mover(from, RANGE);
    run([from], 0, 3);
    receiveCopy(to, mover.copy(), 0);
    const damaged = Buffer.from(mover.copy());
    damaged[damaged.length - 9] = 0xff ^ (damaged[damaged.length - 9] ?? 0);
    expect(() => receiveCopy(to, damaged, 0)).toThrow("checksum");
    expect(to.parts.within(RANGE).map(({ copied }) => copied?.number)).toEqual([1]);
  });

  test("copy: few groups changed -> a small increment, and changedBytes says so", () => {
    const [, from] = pair();
    const mover = new Mover(from, { low: 0, high: KEY_END });
    run([from], 0, 3);
    const all = changedBytes(from.parts, mover.range);
    const full = mover.copy();
    expect(changedBytes(from.parts, mover.range, mover.mark)).toBe(0);
    const none = mover.copy();
    run([from], 3, 4);
    const some = changedBytes(from.parts, mover.range, mover.mark);
    expect(some).toBeGreaterThan(0);
    expect(some).toBeLessThanOrEqual(all);
    const increment = mover.copy();
    expect(none.length).toBeLessThan(increment.length);
    expect(increment.length).toBeLessThan(full.length);
  });
});
