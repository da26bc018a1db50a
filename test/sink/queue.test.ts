// Plan: the machine alone, on a virtual clock. First its promises one by one, with answers given by hand; then a random receiver
// that loses, delays and refuses, under which conservation, order per series and one request per series in flight must hold.
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { RowBlock } from "#limpet/metric/rowBlock.js";
import { type TestRow, testRow } from "../metric/blocks.js";
import { Rig, series, stored } from "./queueRig.js";

describe("sink queue: sending", () => {
  test("queue: idle lane -> a part of a batch leaves at once, the rest of the rows in full batches after its answer", () => {
    const rig = new Rig();
    rig.offer(1, series("a", 1));
    expect(rig.sent()).toEqual(["a@1"]);
    rig.offer(2, series("bcd", 1));
    rig.offer(3, series("ef", 2), "other");
    expect(rig.sent()).toEqual(["a@1"]);
    rig.answer(0, 204);
    expect(rig.settled.get(1)).toEqual(stored(1));
    expect(rig.sent()).toEqual(["b@1", "c@1", "d@1", "e@2"]);
    rig.answer(0, 200);
    expect([rig.settled.get(2), rig.settled.has(3)]).toEqual([stored(3), false]);
    expect(rig.sent()).toEqual(["f@2"]);
    rig.answer(0, 204);
    expect(rig.settled.get(3)).toEqual(stored(2));
    expect(rig.queue.stats()).toMatchObject({ stored: 6, queueRows: 0, queueBytes: 0 });
  });

  test("queue: two windows of one rule waiting -> never in one request, since only the newest sample may come twice", () => {
    const rig = new Rig({ batch: { rowsMax: 100, bytesMax: 100_000, cutsMax: 8 } });
    rig.fail(0);
    rig.offer(0, series("x", 1), "other");
    rig.offer(1, series("ab", 1));
    rig.offer(2, series("ab", 2));
    rig.answer(0, 204);
    expect(rig.sent()).toEqual(["a@1", "b@1"]);
    rig.answer(0, 204);
    expect(rig.sent()).toEqual(["a@2", "b@2"]);
  });

  test("queue: key ranges of one window waiting -> one request; the next window and other marks of it -> another", () => {
    const rig = new Rig({ batch: { rowsMax: 100, bytesMax: 100_000, cutsMax: 8 } });
    const offer = (id: number, names: string, low: number, about: Partial<RowBlock> = {}): void => {
      rig.offerKeyed(id, names, 1, { windowEndMs: 1000, keys: new Uint32Array(names.length).fill(low), ...about });
    };
    rig.fail(0);
    rig.offer(0, series("x", 1), "other");
    offer(1, "ab", 0);
    offer(2, "cd", 1);
    offer(3, "e", 2, { mark: "stale" });
    offer(4, "f", 3, { windowEndMs: 2000, mark: "stale" });
    const sent: string[][] = [];
    for (rig.answer(0, 204); rig.sent().length > 0; rig.answer(0, 204)) sent.push(rig.sent());
    expect(sent).toEqual([["a@1", "b@1", "c@1", "d@1"], ["e@1"], ["f@1"]]);
  });

  test("queue: rows larger than the batch's bytes -> batches by bytes, a single large row alone", () => {
    const rig = new Rig({ batch: { rowsMax: 10, bytesMax: 120, cutsMax: 8 } });
    rig.offer(1, [testRow(`m{big=${"x".repeat(500)}}`, 1, 1), ...series("bcd", 1)]);
    const sizes: number[] = [];
    for (; rig.sent().length > 0; rig.answer(0, 204)) sizes.push(rig.sent().length);
    expect(sizes).toEqual([1, 2, 1]);
  });

  test("queue: rows of many series -> all lanes used, a series always in the same one", () => {
    const rig = new Rig({ lanes: 4, batch: { rowsMax: 1000, bytesMax: 1_000_000, cutsMax: 8 } });
    const rows = Array.from({ length: 200 }, (_, i) => testRow(`m{host=h${i}}`, 1, 1));
    rig.offer(1, rows);
    const first = [...rig.inFlight.values()].map(({ send }) => send.batch.starts.length);
    expect(first.length).toBe(4);
    expect(Math.min(...first)).toBeGreaterThanOrEqual(30);
    for (const lane of [0, 1, 2, 3]) rig.answer(lane, 204);
    rig.offer(2, rows);
    expect([...rig.inFlight.values()].map(({ send }) => send.batch.starts.length)).toEqual(first);
  });

  test("queue: an empty block -> settled at once", () => {
    const rig = new Rig();
    rig.offer(1, []);
    expect(rig.settled.get(1)).toEqual(stored(0));
  });

  test("queue: rows with labels no receiver takes -> dropped{invalid}, the others are sent", () => {
    const rig = new Rig();
    const bad: TestRow[] = [
      { labels: [["__name__", "a-b c"]], timestamp: 1, value: 1 },
      {
        labels: [
          ["__name__", "m"],
          ["x", "1"],
          ["x", "2"],
        ],
        timestamp: 1,
        value: 1,
        raw: true,
      },
      {
        labels: [
          ["__name__", "m"],
          ["x", ""],
        ],
        timestamp: 1,
        value: 1,
      },
      { labels: [["x", "1"]], timestamp: 1, value: 1 },
      {
        labels: [
          ["__name__", "m"],
          ["9x", "1"],
        ],
        timestamp: 1,
        value: 1,
      },
    ];
    rig.offer(1, [...bad, testRow("good:name{é=x}".replace("é", "e"), 1, 1)]);
    expect(rig.sent()).toEqual(["good:name@1"]);
    rig.answer(0, 204);
    expect(rig.settled.get(1)).toEqual({ stored: 1, conflict: 0, unknown: 0, moved: 0, dropped: { invalid: 5 } });
    expect(rig.logs[0]).toContain("5 rows dropped (invalid)");
  });
});

describe("sink queue: failures", () => {
  test("queue: 503, refused connection, 429 -> the same rows again, each time later, then stored", () => {
    const rig = new Rig();
    rig.offer(1, series("ab", 1));
    const waits: number[] = [];
    for (const status of [503, 0, 429, 500, 503, 503, 503, 503, 503, 503]) {
      const before = rig.nowMs;
      if (status === 0) rig.fail(0);
      else rig.answer(0, status);
      expect(rig.sent()).toEqual([]);
      rig.wake();
      waits.push(rig.nowMs - before);
      expect(rig.sent()).toEqual(["a@1", "b@1"]);
    }
    // Half fixed, half random at 0.5: three quarters of 30 ms doubled, up to 5 s.
    expect(waits).toEqual([22.5, 45, 90, 180, 360, 720, 1440, 2880, 3750, 3750]);
    rig.answer(0, 204);
    expect(rig.settled.get(1)).toEqual(stored(2));
  });

  test("queue: Retry-After -> nothing leaves the lane earlier, not even newer rows", () => {
    const rig = new Rig();
    rig.offer(1, series("a", 1));
    rig.answer(0, 429, "", "7");
    rig.offer(2, series("b", 1));
    rig.nowMs = 6999;
    rig.tick();
    expect(rig.sent()).toEqual([]);
    expect(rig.wakeAtMs).toBe(7000);
    rig.wake();
    expect(rig.sent()).toEqual(["a@1"]);
  });

  test("queue: tick a little early -> asks to be woken again", () => {
    const rig = new Rig();
    rig.offer(1, series("a", 1));
    rig.fail(0);
    const due = rig.wakeAtMs;
    rig.nowMs = due - 1;
    rig.tick();
    expect(rig.wakeAtMs).toBe(due);
  });

  test("queue: receiver away for longer than maxAge -> dropped{too_old}, newer blocks live on", () => {
    const rig = new Rig();
    rig.offer(1, series("ab", 1));
    rig.fail(0);
    rig.nowMs = 30_000;
    rig.offer(2, series("c", 2));
    rig.fail(0);
    rig.nowMs = 60_000;
    rig.tick();
    expect(rig.settled.get(1)).toEqual({ stored: 0, conflict: 0, unknown: 0, moved: 0, dropped: { too_old: 2 } });
    rig.wake();
    expect(rig.sent()).toEqual(["c@2"]);
  });

  test("queue: over its bytes -> the oldest block goes, rows in flight get their answer, bytes stay under the bound", () => {
    const rig = new Rig({ queueBytesMax: 3000, batch: { rowsMax: 1, bytesMax: 1000, cutsMax: 1 } });
    for (let id = 1; id <= 6; id++) {
      rig.offer(id, series("abc", id));
      expect(rig.queue.stats().queueBytes).toBeLessThanOrEqual(3000);
    }
    expect(rig.sent()).toEqual(["a@1"]);
    expect(rig.settled.get(2)).toEqual({ stored: 0, conflict: 0, unknown: 0, moved: 0, dropped: { queue_full: 3 } });
    rig.answer(0, 204);
    expect(rig.settled.get(1)).toEqual({ stored: 1, conflict: 0, unknown: 0, moved: 0, dropped: { queue_full: 2 } });
    expect(rig.sent()).toEqual([`a@${3 + (rig.settled.size - 2)}`]);
    expect(rig.logs[0]).toContain("rows dropped (queue_full); the receiver is too slow or away too long");
  });

  test("queue: a block in flight was given up and its request fails -> its rows are not sent again", () => {
    const rig = new Rig({ queueBytesMax: 1500 });
    rig.offer(1, series("ab", 1));
    rig.offer(2, series("c", 2));
    rig.offer(3, series("d", 3));
    expect(rig.settled.has(1)).toBe(false);
    rig.fail(0);
    expect(rig.settled.get(1)).toEqual({ stored: 0, conflict: 0, unknown: 0, moved: 0, dropped: { queue_full: 2 } });
    rig.wake();
    expect(rig.sent()[0]).toBe("d@3");
  });

  test("queue: receiver down, then up -> one warning with numbers and cure, one line when it is back", () => {
    const rig = new Rig();
    rig.offer(1, series("ab", 1));
    for (let i = 0; i < 8; i++) {
      rig.fail(0);
      rig.wake();
    }
    rig.answer(0, 204);
    expect(rig.logs).toHaveLength(2);
    expect(rig.logs[0]).toMatch(
      /^warn: sink test: connection refused; 2 rows queued \(0\.0 of 1\.0 MiB\), retrying in \d+ ms; check that the receiver runs/,
    );
    expect(rig.logs[1]).toMatch(/^info: sink test: answers again after \d/);
  });
});

describe("sink queue: refusals", () => {
  const conflictBody = "duplicate sample for timestamp";

  /** Answers as Prometheus: a request with a bad row stores nothing. Gives the number of requests. */
  function answerAll(rig: Rig, bad: ReadonlyMap<string, string>): number {
    let requests = 0;
    for (; rig.sent().length > 0; requests++) {
      const found = rig.sent().find((row) => bad.has(row));
      if (found === undefined) rig.answer(0, 204);
      else rig.answer(0, 400, bad.get(found));
    }
    return requests;
  }

  test("queue: one conflict and one out-of-order row among 64 -> exactly those, the other 62 stored, in few requests", () => {
    const rig = new Rig({ batch: { rowsMax: 100, bytesMax: 100_000, cutsMax: 64 } });
    rig.offer(
      1,
      Array.from({ length: 64 }, (_, i) => testRow(`m${i}`, 1, 1)),
    );
    const requests = answerAll(
      rig,
      new Map([
        ["m5@1", conflictBody],
        ["m60@1", "out of order sample"],
      ]),
    );
    expect(rig.settled.get(1)).toEqual({ stored: 62, conflict: 1, unknown: 1, moved: 0, dropped: {} });
    expect(requests).toBeLessThanOrEqual(1 + 2 * 2 * 6);
  });

  test("queue: every row of a large batch refused -> bounded requests, rows that were not tried alone are unknown", () => {
    const rig = new Rig({ batch: { rowsMax: 2000, bytesMax: 1_000_000, cutsMax: 64 } });
    rig.offer(
      1,
      Array.from({ length: 2000 }, (_, i) => testRow(`m${i}`, 1, 1)),
    );
    let requests = 0;
    for (; rig.sent().length > 0; requests++) rig.answer(0, 400, conflictBody);
    expect(requests).toBe(65);
    const outcome = rig.settled.get(1);
    expect((outcome?.conflict ?? 0) + (outcome?.unknown ?? 0)).toBe(2000);
    expect(outcome?.unknown).toBeGreaterThan(1900);
  });

  test("queue: 401 -> not narrowed down, dropped{bad_request}, the warning names the cure", () => {
    const rig = new Rig();
    rig.offer(1, series("ab", 1));
    rig.answer(0, 401, "no\nsecond line");
    expect(rig.settled.get(1)).toEqual({ stored: 0, conflict: 0, unknown: 0, moved: 0, dropped: { bad_request: 2 } });
    expect(rig.logs).toEqual([
      'warn: sink test: 2 rows refused (bad_request), last: HTTP 401 "no"; check the sink\'s credentials (in its URL, or username, password, token in limpet.yaml)',
    ]);
  });

  test("queue: halves of a refused batch -> before newer rows, in their order", () => {
    const rig = new Rig({ batch: { rowsMax: 4, bytesMax: 100_000, cutsMax: 64 } });
    rig.offer(1, [...series("abc", 1), testRow("a", 2, 1)]);
    rig.offer(2, series("a", 3));
    const order: string[] = [];
    for (; rig.sent().length > 0; ) {
      const isBad = rig.sent().includes("c@1");
      if (!isBad) order.push(...rig.sent());
      rig.answer(0, isBad ? 400 : 204, "out of bounds");
    }
    expect(order).toEqual(["a@1", "b@1", "a@2", "a@3"]);
  });
});

describe("sink queue: closing", () => {
  test("queue: close with a receiver that answers -> everything stored, then closed; later offers are dropped{stop}", () => {
    const rig = new Rig();
    rig.offer(1, series("abcdef", 1));
    rig.close(5000);
    rig.answer(0, 204);
    expect(rig.closed).toBe(false);
    rig.answer(0, 204);
    expect([rig.closed, rig.settled.get(1)]).toEqual([true, stored(6)]);
    rig.offer(2, series("a", 2));
    expect(rig.settled.get(2)).toEqual({ stored: 0, conflict: 0, unknown: 0, moved: 0, dropped: { stop: 1 } });
  });

  test("queue: deadline passes with rows in flight and waiting -> aborted, dropped{stop}, a late answer is ignored", () => {
    const rig = new Rig();
    rig.offer(1, series("abcdef", 1));
    rig.close(5000);
    expect(rig.wakeAtMs).toBe(5000);
    rig.wake();
    expect(rig.inFlight.size).toBe(0);
    expect([rig.closed, rig.settled.get(1)]).toEqual([true, { stored: 0, conflict: 0, unknown: 0, moved: 0, dropped: { stop: 6 } }]);
    rig.answer(0, 204);
    expect(rig.queue.stats()).toMatchObject({ stored: 0, dropped: { stop: 6 }, queueBytes: 0, queueRows: 0 });
  });

  test("queue: close while waiting to retry -> tries at once", () => {
    const rig = new Rig();
    rig.offer(1, series("a", 1));
    for (let i = 0; i < 9; i++) {
      rig.fail(0);
      if (i < 8) rig.wake();
    }
    rig.close(rig.nowMs + 1000);
    expect(rig.sent()).toEqual(["a@1"]);
  });

  test("queue: close when nothing is queued -> closed at once", () => {
    const rig = new Rig();
    rig.close(1000);
    expect(rig.closed).toBe(true);
  });
});

describe("sink queue: any receiver", () => {
  // A choice per event: what the receiver does, or how much is offered.
  const events = fc.array(fc.tuple(fc.constantFrom("offer", "ok", "ok", "fail", "lost answer", "400", "time", "wake"), fc.nat(1000)), {
    minLength: 20,
    maxLength: 100,
  });

  test("queue: random losses, refusals and overload -> every row one outcome, each series in order, never over its bytes", () => {
    fc.assert(
      fc.property(events, fc.integer({ min: 1, max: 4 }), (script, lanes) => {
        const rig = new Rig({ lanes, queueBytesMax: 12_000, batch: { rowsMax: 5, bytesMax: 400, cutsMax: 6 }, maxAgeMs: 20_000 });
        const newest = new Map<string, number>();
        const rowCounts = new Map<number, number>();
        let storedRows = 0;
        const accept = (lane: number): void => {
          for (const row of rig.sent(lane)) {
            const [name = "", time = ""] = row.split("@");
            // A lost answer brings the same newest row again; anything older would be refused by Prometheus.
            expect(Number(time)).toBeGreaterThanOrEqual(newest.get(name) ?? 0);
            newest.set(name, Number(time));
          }
        };
        let id = 0;
        for (const [what, amount] of script) {
          const lane = [...rig.inFlight.keys()][amount % Math.max(1, rig.inFlight.size)] ?? 0;
          if (what === "offer") {
            id++;
            const count = amount % 40;
            rowCounts.set(id, count);
            rig.offer(
              id,
              Array.from({ length: count }, (_, i) => testRow(`m${i}`, id, 1)),
            );
          } else if (what === "time") rig.nowMs += amount * 10;
          else if (what === "wake" && rig.wakeAtMs !== Infinity) rig.wake();
          else if (what === "400") {
            if (rig.inFlight.has(lane)) rig.answer(lane, 400, amount % 2 === 0 ? "out of order" : "bad");
          } else if (rig.inFlight.has(lane)) {
            if (what !== "fail") accept(lane);
            if (what === "ok") {
              storedRows += rig.sent(lane).length;
              rig.answer(lane, 204);
            } else rig.fail(lane);
          }
          expect(rig.queue.stats().queueBytes).toBeLessThanOrEqual(12_000);
        }
        rig.close(rig.nowMs + 100);
        for (let i = 0; i < 20 && !rig.closed; i++) rig.wake();
        expect(rig.closed).toBe(true);
        expect(rig.settled.size).toBe(rowCounts.size);
        for (const [block, outcome] of rig.settled) {
          const sum = outcome.stored + outcome.conflict + outcome.unknown + Object.values(outcome.dropped).reduce((a, b) => a + b, 0);
          expect(sum).toBe(rowCounts.get(block));
        }
        expect(rig.queue.stats()).toMatchObject({ stored: storedRows, queueRows: 0, queueBytes: 0 });
      }),
      { numRuns: 150 },
    );
  });
});
