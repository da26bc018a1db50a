// Plan: rows of a Slice that moves leave the queue of one owner's sink and come to the next one's. First the promises one by one, then two
// owners and a receiver that fails and loses answers: every row has one fate, each series keeps its order.
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { Rig, series, stored } from "./queueRig.js";

describe("sink queue: withdrawing", () => {
  test("queue: a range is withdrawn from blocks that reach beyond it -> its rows oldest first with their keys, the others are sent", () => {
    const rig = new Rig();
    rig.offerKeyed(1, "abcd", 1);
    rig.fail(0);
    rig.offerKeyed(2, "bcd", 2);
    rig.offer(3, series("c", 3), "other");
    expect(rig.withdraw(7, 1, 3)).toEqual(["b@1", "c@1", "b@2", "c@2"]);
    expect(rig.withdrawn.get(7)?.map(({ keys }) => [...(keys ?? [])])).toEqual([
      [1, 2],
      [1, 2],
    ]);
    rig.wake();
    const sent: string[][] = [];
    for (; rig.sent().length > 0; rig.answer(0, 204)) sent.push(rig.sent());
    // Rows without keys belong to no range.
    expect(sent).toEqual([
      ["a@1", "d@1"],
      ["d@2", "c@3"],
    ]);
    expect(rig.settled.get(1)).toEqual({ ...stored(2), moved: 2 });
    expect(rig.settled.get(2)).toEqual({ ...stored(1), moved: 2 });
    expect(rig.queue.stats()).toMatchObject({ stored: 4, moved: 4, queueRows: 0, queueBytes: 0 });
  });

  test.each([
    ["204", 204, [] as string[], stored(2)],
    ["503", 503, ["a@1", "b@1"], { ...stored(0), moved: 2 }],
    ["400 of two rows, to be tried alone", 400, ["a@1", "b@1"], { ...stored(0), moved: 2 }],
  ])("queue: rows in flight are withdrawn -> waited for; the answer is %s", (_name, status, moved, outcome) => {
    const rig = new Rig();
    rig.offerKeyed(1, "ab", 1);
    rig.offerKeyed(2, "ab", 2);
    expect(rig.withdraw(7, 0, 2)).toBeUndefined();
    rig.answer(0, status, "out of order");
    expect(rig.moved(7)).toEqual([...moved, "a@2", "b@2"]);
    expect(rig.settled.get(1)).toEqual(outcome);
    expect(rig.sent()).toEqual([]);
  });

  test("queue: the request in flight hangs -> given up after a second; rows of other ranges go again, later", () => {
    const rig = new Rig();
    rig.offerKeyed(1, "ab", 1);
    rig.withdraw(7, 1, 2);
    expect(rig.wakeAtMs).toBe(1000);
    rig.wake();
    expect([rig.moved(7), rig.inFlight.size]).toEqual([["b@1"], 0]);
    expect(rig.wakeAtMs).toBeGreaterThan(1000);
    rig.wake();
    expect(rig.sent()).toEqual(["a@1"]);
    rig.answer(0, 204);
    expect(rig.settled.get(1)).toEqual({ ...stored(1), moved: 1 });
  });

  test("queue: a receiver that is away -> withdrawn at once, between two attempts and during one", () => {
    for (const attempts of [1, 2]) {
      const rig = new Rig();
      rig.offerKeyed(1, "a", 1);
      rig.fail(0);
      if (attempts === 2) rig.wake();
      expect(rig.sent()).toEqual(attempts === 2 ? ["a@1"] : []);
      expect(rig.withdraw(7, 0, 9)).toEqual(["a@1"]);
      expect([rig.inFlight.size, rig.wakeAtMs]).toEqual([0, Infinity]);
    }
  });

  test("queue: rows in flight are of other ranges -> not waited for", () => {
    const rig = new Rig({ batch: { rowsMax: 1, bytesMax: 1000, cutsMax: 1 } });
    rig.offerKeyed(1, "ab", 1);
    expect(rig.sent()).toEqual(["a@1"]);
    expect(rig.withdraw(7, 1, 2)).toEqual(["b@1"]);
    expect(rig.sent()).toEqual(["a@1"]);
  });

  test("queue: withdrawn rows at the next owner -> their age goes on, whatever else is queued there", () => {
    const rig = new Rig();
    rig.offerKeyed(1, "a", 1);
    rig.fail(0);
    rig.nowMs = 50_000;
    rig.withdraw(7, 0, 9);
    const next = new Rig();
    next.nowMs = 55_000;
    next.offerKeyed(1, "z", 1);
    next.fail(0);
    for (const [i, block] of (rig.withdrawn.get(7) ?? []).entries()) next.act(next.queue.step(next.nowMs, { kind: "offer", id: 10 + i, block }));
    next.nowMs = 60_000;
    next.tick();
    expect(next.settled.get(10)).toEqual({ ...stored(0), dropped: { too_old: 1 } });
    expect(next.settled.has(1)).toBe(false);
  });

  test("queue: the deadline of close passes while a withdrawal waits -> it gets its rows, the others are dropped{stop}", () => {
    const rig = new Rig();
    rig.offerKeyed(1, "ab", 1);
    rig.close(500);
    expect(rig.withdraw(7, 1, 2)).toBeUndefined();
    rig.wake();
    expect([rig.moved(7), rig.closed]).toEqual([["b@1"], true]);
    expect(rig.settled.get(1)).toEqual({ ...stored(0), moved: 1, dropped: { stop: 1 } });
    expect(rig.unsent.map(({ rowCount, keys }) => [rowCount, ...(keys ?? [])])).toEqual([[1, 0]]);
    expect(rig.withdraw(8, 0, 9)).toEqual([]);
  });
});

describe("sink queue: moves", () => {
  // Two owners with a queue each, one receiver: every key is owned by one of them, and moves with its rows.
  test("queue: random withdrawals between two owners -> every row one fate, each series in order, what comes twice is its newest", () => {
    const moves = fc.array(fc.tuple(fc.constantFrom("close", "close", "move", "ok", "ok", "fail", "lost answer", "time", "wake"), fc.nat(1000)), {
      minLength: 20,
      maxLength: 120,
    });
    fc.assert(
      fc.property(moves, fc.integer({ min: 1, max: 3 }), (script, lanes) => {
        const keys = 12;
        const [a, b] = [lanes, 4 - lanes].map((ofOwner) => new Rig({ lanes: ofOwner, batch: { rowsMax: 5, bytesMax: 400, cutsMax: 6 } })) as [
          Rig,
          Rig,
        ];
        const owner = new Array<Rig>(keys).fill(a);
        const newest = new Map<string, number>();
        const [made, got] = [new Set<string>(), new Set<string>()];
        let storedRows = 0;
        /** Of the move that waits for its rows: nothing of its range closes. */
        let moving: { readonly id: number; readonly from: Rig; readonly low: number; readonly high: number } | undefined;
        let id = 0;
        const arrive = (): void => {
          const blocks = moving?.from.withdrawn.get(moving.id);
          if (moving === undefined || blocks === undefined) return;
          const to = moving.from === a ? b : a;
          owner.fill(to, moving.low, moving.high);
          for (const block of blocks) to.act(to.queue.step(to.nowMs, { kind: "offer", id: ++id, block }));
          moving = undefined;
        };
        const accept = (rig: Rig, lane: number): void => {
          for (const row of rig.sent(lane)) {
            const [name = "", time = ""] = row.split("@");
            expect(Number(time)).toBeGreaterThanOrEqual(newest.get(name) ?? 0);
            newest.set(name, Number(time));
            got.add(row);
          }
        };
        const answer = (rig: Rig, lane: number, what: string): void => {
          if (what !== "fail") accept(rig, lane);
          if (what === "ok") {
            storedRows += rig.sent(lane).length;
            rig.answer(lane, 204);
          } else rig.fail(lane);
        };
        for (const [what, amount] of script) {
          const rig = amount % 2 === 0 ? a : b;
          if (what === "close") {
            const frozen = (key: number): boolean => moving !== undefined && key >= moving.low && key < moving.high;
            const names = owner.flatMap((of, key) => (of === rig && !frozen(key) ? [String.fromCharCode(97 + key)] : [])).join("");
            if (names !== "") rig.offerKeyed(++id, names, id);
            for (const name of names) made.add(`${name}@${id}`);
          } else if (what === "move" && moving === undefined) {
            const low = amount % keys;
            const from = owner[low] ?? a;
            let high = low;
            while (high < Math.min(keys, low + 5) && owner[high] === from) high++;
            moving = { id: ++id, from, low, high };
            from.withdraw(id, low, high);
          } else if (what === "time") for (const one of [a, b]) one.nowMs += amount;
          else if (what === "wake") {
            if (rig.wakeAtMs !== Infinity) rig.wake();
          } else {
            const lane = [...rig.inFlight.keys()][amount % Math.max(1, rig.inFlight.size)];
            if (lane !== undefined) answer(rig, lane, what);
          }
          arrive();
        }
        for (let i = 0; i < 10_000 && a.queue.stats().queueRows + b.queue.stats().queueRows > 0; i++) {
          for (const rig of [a, b]) {
            for (const lane of [...rig.inFlight.keys()]) answer(rig, lane, "ok");
            if (rig.wakeAtMs !== Infinity) rig.wake();
            arrive();
          }
        }
        expect([...made].filter((row) => !got.has(row))).toEqual([]);
        expect(storedRows).toBe(made.size);
        expect(a.queue.stats().stored + b.queue.stats().stored).toBe(made.size);
        for (const rig of [a, b]) expect(rig.queue.stats()).toMatchObject({ conflict: 0, unknown: 0, dropped: {}, queueRows: 0, queueBytes: 0 });
      }),
      { numRuns: 200 },
    );
  });
});
