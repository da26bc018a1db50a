// The router machine, one situation at a time. routerProperty.test.ts has them all at once.
import { describe, expect, it } from "@jest/globals";
import { HELD } from "#limpet/route/clerk.js";
import { ROUTER_DEFAULTS, Router, type RouterAction, type RouterEvent, type RouterOptions } from "#limpet/route/router.js";
import type { Assignment } from "#limpet/slice/assignment.js";
import type { Answer, RangeAnswer } from "#limpet/slice/batch.js";
import { KEY_END } from "#limpet/slice/keyRange.js";

const A = "http://a:4581";
const B = "http://b:4581";
const C = "http://c:4581";
type Sent = Extract<RouterAction, { kind: "send" }>;

/** Owners of equal parts of the key space; null: held. */
function assignment(number: number, ...owners: (string | null)[]): Assignment {
  const width = KEY_END / owners.length;
  const generation = { incarnation: 1, number };
  const slices = owners.map((owner, i) => {
    return { low: i * width, high: (i + 1) * width, owner, standby: null, movingTo: null, move: null, term: generation };
  });
  const resources = [A, B, C].map((id) => ({ id, address: id, incarnation: "1", state: "running" as const, load: 0 }));
  return { generation, rules: "h", slices, resources };
}

/** A router with a clock, and what it said. */
class Driven {
  readonly router: Router;
  now = 1_000_000;
  readonly said: RouterAction[] = [];

  constructor(owners: (string | null)[], options: Partial<RouterOptions> = {}) {
    this.router = new Router({ ...ROUTER_DEFAULTS, router: "r.1", cluster: "", seed: 1, ...options });
    this.do({ kind: "rules", rules: { hash: "h", intervalMsMin: 1000, openMsMax: 20_000 } });
    this.do({ kind: "assignment", assignment: assignment(1, ...owners) });
  }

  do(event: RouterEvent): Sent[] {
    const actions = this.router.step(this.now, event);
    this.said.push(...actions);
    return actions.filter((action) => action.kind === "send");
  }

  /** Time passes in steps of 20 ms. */
  pass(ms: number): Sent[] {
    const sent: Sent[] = [];
    for (const end = this.now + ms; this.now < end; ) {
      this.now += 20;
      sent.push(...this.do({ kind: "tick" }));
    }
    return sent;
  }

  lines(lane: string, text: string, oldestMs = this.now): Sent[] {
    return this.do({ kind: "lines", lane, piece: { body: Buffer.from(text), lines: text.split("\n").length - 1, oldestMs } });
  }

  answer({ attempt, head }: Sent, answer: Answer, more: Partial<RangeAnswer> = {}): Sent[] {
    const ranges = head.ranges.map(({ low, high }) => ({ low, high, answer, applied: head.seq, durable: 0, owner: null, ...more }));
    return this.do({ kind: "answer", attempt, ranges });
  }
}

/** `address seq: low-high@prev/kept` of requests, low and high in parts of the key space. */
function shown(sent: readonly Sent[]): string[] {
  return sent.map(({ address, head, body }) => {
    const ranges = head.ranges.map(
      ({ low, high, prev, kept }) => `${String(low / KEY_END)}-${String(high / KEY_END)}@${String(prev)}/${String(kept)}`,
    );
    return `${address.slice(7, 8)} ${String(head.seq)}: ${ranges.join(" ")} ${body.length === 0 ? "heartbeat" : Buffer.from(body).toString().trim()}`;
  });
}

describe("router", () => {
  it("lines: 100 ms old -> one numbered batch for every range of the lane", () => {
    const driven = new Driven([A, B, A]);
    expect(driven.lines(A, "x f=1\n")).toEqual([]);
    driven.lines(A, "y f=1\n");
    const sent = driven.pass(100);
    expect(shown(sent)).toEqual([`a 1: 0-${String(1 / 3)}@0/1 ${String(2 / 3)}-1@0/1 x f=1\ny f=1`]);
    expect(sent[0]?.head).toMatchObject({ router: "r.1", rules: "h", cluster: "" });
  });

  it("lines: a lane is full -> sent at once, four requests at a time", () => {
    const driven = new Driven([A], { sealBytes: 6 });
    const sent = [1, 2, 3, 4, 5].flatMap((i) => driven.lines(A, `x f=${String(i)}\n`));
    expect(shown(sent)).toEqual(["a 1: 0-1@0/1 x f=1", "a 2: 0-1@1/1 x f=2", "a 3: 0-1@2/1 x f=3", "a 4: 0-1@3/1 x f=4"]);
    expect(shown(driven.answer(sent[0] as Sent, "applied", { durable: 1 }))).toEqual(["a 5: 0-1@4/2 x f=5"]);
  });

  it("lines: an owner answers slowly -> what comes meanwhile gathers in one batch, instead of one every 100 ms behind each other", () => {
    const driven = new Driven([A]);
    const sent: Sent[] = [];
    for (let i = 0; i < 50; i++) {
      driven.lines(A, `x f=${String(i)}\n`);
      sent.push(...driven.pass(100));
    }
    expect(shown(sent).map((text) => text.split(" ")[1])).toEqual(["1:", "2:", "3:", "4:"]);
    const fifth = driven.answer(sent[0] as Sent, "applied", { durable: 1 });
    expect(Buffer.from(fifth[0]?.body ?? "").toString()).toBe("x f=4\n");
    driven.answer(sent[1] as Sent, "applied", { durable: 2 });
    const rest = driven.pass(20);
    expect(
      Buffer.from(rest[0]?.body ?? "")
        .toString()
        .split("\n"),
    ).toHaveLength(46);
    // Nothing waits behind what was sent: the next lines wait 100 ms, as ever.
    driven.answer(sent[2] as Sent, "applied", { durable: 3 });
    driven.lines(A, "x f=50\n");
    expect(shown(driven.pass(100))).toEqual(["a 7: 0-1@6/4 x f=50"]);
  });

  it("assignment: half of the range moves -> the whole body goes to the new owner at once, for that half alone", () => {
    const driven = new Driven([A]);
    driven.lines(A, "x f=1\n");
    const [first] = driven.pass(100);
    driven.lines(A, "y f=1\n");
    const moved = driven.do({ kind: "assignment", assignment: assignment(2, A, B) });
    expect(shown(moved)).toEqual(["a 2: 0-0.5@1/1 y f=1", "b 1: 0.5-1@0/1 x f=1", "b 2: 0.5-1@1/1 y f=1"]);
    // What the old owner says of it now is no news: B still has to take it.
    driven.answer(first as Sent, "applied", { durable: 1 });
    expect(shown(driven.answer(moved[1] as Sent, "gap", { applied: 0 }))).toEqual([]);
    expect(shown(driven.pass(200))).toEqual(["b 1: 0.5-1@0/1 x f=1"]);
  });

  it("assignment: an older one -> ignored", () => {
    const driven = new Driven([A]);
    driven.do({ kind: "assignment", assignment: assignment(0, B) });
    expect(driven.router.clerk.routes).toMatchObject([{ address: A }]);
  });

  it("held: nobody serves it -> kept, and sent when somebody does", () => {
    const driven = new Driven([null]);
    driven.lines(HELD, "x f=1\n");
    expect(driven.pass(5000)).toEqual([]);
    expect(shown(driven.do({ kind: "assignment", assignment: assignment(2, B) }))).toEqual(["b 1: 0-1@0/1 x f=1"]);
  });

  it("elsewhere: with a hint -> tried once, then the Assignment's owner, later each time", () => {
    const driven = new Driven([A]);
    driven.lines(A, "x f=1\n");
    let [sent] = driven.pass(100);
    const waits: number[] = [];
    for (let round = 0; round < 4; round++) {
      const hinted = driven.answer(sent as Sent, "elsewhere", { applied: 0, owner: B });
      expect(shown(hinted)).toEqual(["b 1: 0-1@0/1 x f=1"]);
      const from = driven.now;
      expect(driven.answer(hinted[0] as Sent, "elsewhere", { applied: 0, owner: C })).toEqual([]);
      for (sent = undefined; sent === undefined; ) [sent] = driven.pass(20);
      expect(sent.address).toBe(A);
      waits.push(driven.now - from);
    }
    expect(waits.every((wait, i) => i === 0 || wait > (waits[i - 1] ?? 0))).toBe(true);
    expect(driven.said.filter(({ kind }) => kind === "fetch").length).toBeGreaterThan(0);
  });

  it("assignment: a new one, while an owner is left alone for refusing or failing -> it is asked at once", () => {
    for (const how of ["elsewhere", "failed"] as const) {
      const driven = new Driven([A]);
      driven.lines(A, "x f=1\n");
      let [sent] = driven.pass(100);
      for (let i = 0; i < 6; i++) {
        if (how === "failed") driven.do({ kind: "failed", attempt: sent?.attempt ?? 0 });
        else driven.answer(sent as Sent, "elsewhere", { applied: 0 });
        for (sent = undefined; i < 5 && sent === undefined; ) [sent] = driven.pass(20);
      }
      expect(driven.pass(1000)).toEqual([]);
      expect(shown(driven.do({ kind: "assignment", assignment: assignment(2, A) }))).toEqual(["a 1: 0-1@0/1 x f=1"]);
    }
  });

  it("wait: for over a second -> the Assignment's owner again", () => {
    const driven = new Driven([A]);
    driven.lines(A, "x f=1\n");
    const [first] = driven.pass(100);
    let [sent] = driven.answer(first as Sent, "elsewhere", { applied: 0, owner: B });
    const asked: string[] = [];
    for (let i = 0; i < 30; i++) {
      driven.answer(sent as Sent, "wait", { applied: 0 });
      [sent] = driven.pass(60);
      asked.push(sent?.address ?? "");
    }
    expect(asked.slice(0, 15)).toEqual(new Array(15).fill(B));
    expect(asked).toContain(A);
  });

  it("failed: while a move is published -> its target is asked for that range, then the owner again", () => {
    const driven = new Driven([A, B]);
    const next = assignment(2, A, B);
    const slices = next.slices.map((slice, i) => (i === 0 ? { ...slice, movingTo: C, move: next.generation } : slice));
    driven.do({ kind: "assignment", assignment: { ...next, slices } });
    driven.lines(A, "a\n");
    const [first] = driven.pass(200);
    expect(first?.address).toBe(A);
    const [asked] = driven.do({ kind: "failed", attempt: first?.attempt ?? 0 });
    expect([asked?.address, asked?.head.seq, asked?.head.ranges[0]?.prev]).toEqual([C, 1, 0]);
    driven.do({ kind: "failed", attempt: asked?.attempt ?? 0 });
    expect(driven.pass(1000)[0]?.address).toBe(A);
  });

  it("failed: in a row -> one request at a time, at growing distances", () => {
    const driven = new Driven([A], { sealBytes: 6 });
    for (let i = 0; i < 6; i++) driven.lines(A, `x f=${String(i)}\n`);
    const flying = driven.said.filter((action) => action.kind === "send");
    expect(flying).toHaveLength(4);
    for (const { attempt } of flying) driven.do({ kind: "failed", attempt });
    const sent = driven.pass(120);
    expect(shown(sent)).toEqual(["a 1: 0-1@0/1 x f=0"]);
    // Taken: all the rest goes on.
    expect(driven.answer(sent[0] as Sent, "applied")).toHaveLength(4);
  });

  it("answer: some ranges are missing from it -> those are sent again", () => {
    const driven = new Driven([A, B, A]);
    driven.lines(A, "x f=1\n");
    const [sent] = driven.pass(100);
    const [low] = sent?.head.ranges ?? [];
    const ranges = [{ low: low?.low ?? 0, high: low?.high ?? 0, answer: "applied" as const, applied: 1, durable: 1, owner: null }];
    expect(shown(driven.do({ kind: "answer", attempt: sent?.attempt ?? 0, ranges }))).toEqual([`a 1: ${String(2 / 3)}-1@0/1 x f=1`]);
  });

  it("goodbye: its answer is lost -> the next batch begins anew all the same", () => {
    const driven = new Driven([A]);
    driven.lines(A, "x f=1\n");
    const [first] = driven.pass(100);
    driven.answer(first as Sent, "applied", { durable: 1 });
    let last: Sent | undefined;
    while (last === undefined || last.head.ranges[0]?.oldestMs !== undefined) {
      [last] = driven.pass(20);
      if (last?.head.ranges[0]?.oldestMs !== undefined) driven.answer(last, "applied", { applied: 1, durable: 1 });
    }
    driven.lines(A, "y f=1\n");
    expect(shown(driven.pass(100))).toEqual(["a 2: 0-1@0/2 y f=1"]);
  });

  it("timeout: no answer -> sent again, and a late answer to the first is welcome", () => {
    const driven = new Driven([A], { timeoutMs: 500 });
    driven.lines(A, "x f=1\n");
    const [first] = driven.pass(100);
    const again = driven.pass(800);
    expect(shown(again)).toEqual(shown([first as Sent]));
    expect(driven.answer(first as Sent, "applied")).toEqual([]);
    driven.answer(again[0] as Sent, "duplicate", { applied: 1, durable: 1 });
    expect(driven.router.retention.bytes).toBe(0);
  });

  it("rules: the owner lacks them -> offered, then sent again", () => {
    const driven = new Driven([A]);
    driven.lines(A, "x f=1\n");
    const [first] = driven.pass(100);
    driven.do({ kind: "needRules", attempt: first?.attempt ?? 0 });
    expect(driven.said).toContainEqual({ kind: "offerRules", address: A, hash: "h" });
    expect(shown(driven.pass(120))).toEqual(["a 1: 0-1@0/1 x f=1"]);
  });

  it("gossip: a newer Generation -> asked for, once a second", () => {
    const driven = new Driven([A]);
    const fetches = (): number => driven.said.filter(({ kind }) => kind === "fetch").length;
    driven.do({ kind: "gossip", generation: { incarnation: 1, number: 1 } });
    expect(fetches()).toBe(0);
    for (let i = 0; i < 10; i++) driven.do({ kind: "gossip", generation: { incarnation: 2, number: 0 } });
    expect(fetches()).toBe(1);
    driven.pass(1000);
    driven.do({ kind: "gossip", generation: { incarnation: 2, number: 0 } });
    expect(fetches()).toBe(2);
  });
});

describe("router, what it keeps", () => {
  it("applied but not durable -> kept, and asked for by heartbeats", () => {
    const driven = new Driven([A, B]);
    driven.lines(A, "x f=1\n");
    const [first] = driven.pass(100);
    driven.answer(first as Sent, "applied");
    expect(driven.router.retention.bytes).toBeGreaterThan(0);
    const [beat, ...more] = driven.pass(1020);
    expect(shown([beat as Sent])).toEqual(["a 1: 0-0.5@1/1 heartbeat"]);
    expect(beat?.head.ranges[0]?.oldestMs).toBeGreaterThanOrEqual(driven.now - 200);
    expect(more).toEqual([]);
    driven.answer(beat as Sent, "duplicate", { applied: 1, durable: 1 });
    expect(driven.router.retention.bytes).toBe(0);
  });

  it("oldest: lines that wait -> their time, in batches and heartbeats", () => {
    const driven = new Driven([A], { sealBytes: 6, window: 1 });
    driven.lines(A, "x f=1\n", 5000);
    driven.lines(A, "x f=2\n", 7000);
    driven.lines(A, "x f=3\n", 6000);
    const [first] = driven.said.filter((action) => action.kind === "send");
    expect(first?.head.ranges[0]?.oldestMs).toBe(driven.now);
    const [second] = driven.answer(first as Sent, "applied", { durable: 1 });
    driven.lines(A, "x\n", 5500);
    const [third] = driven.answer(second as Sent, "applied", { durable: 2 });
    expect([second, third].map((sent) => sent?.head.ranges[0]?.oldestMs)).toEqual([6000, 5500]);
  });

  it("silence: no window it fed is open any more -> goodbye, and the next batch begins anew", () => {
    const driven = new Driven([A]);
    driven.lines(A, "x f=1\n");
    const [first] = driven.pass(100);
    driven.answer(first as Sent, "applied", { durable: 1 });
    let beats = 0;
    for (let last: Sent | undefined; last?.head.ranges[0]?.oldestMs !== undefined || beats === 0; beats++) {
      for (last = undefined; last === undefined; ) [last] = driven.pass(20);
      driven.answer(last, "duplicate", { applied: 1, durable: 1 });
    }
    expect(beats).toBeGreaterThan(15);
    expect(driven.pass(10_000)).toEqual([]);
    driven.lines(A, "y f=1\n");
    expect(shown(driven.pass(100))).toEqual(["a 2: 0-1@0/2 y f=1"]);
  });

  it("memory: one owner stands still -> its lane loses its oldest, counted, and `kept` tells; the others lose nothing", () => {
    const driven = new Driven([A, B], { retentionBytesMax: 100_000, sealBytes: 1000, window: 1 });
    const line = `${"x".repeat(996)} f=\n`;
    for (let i = 0; i < 200; i++) {
      driven.lines(A, line);
      for (const sent of driven.lines(B, line)) driven.answer(sent, "applied", { durable: sent.head.seq });
    }
    const [toA] = driven.said.filter((action) => action.kind === "send");
    expect(driven.router.full).toBe(false);
    expect(driven.router.retention).toMatchObject({ batchesUnprotected: 0 });
    expect(driven.router.retention.linesLost).toBeGreaterThan(100);
    const [next] = driven.answer(toA as Sent, "applied");
    const range = next?.head.ranges[0];
    expect(range?.kept).toBe(next?.head.seq);
    expect(range?.prev).toBeLessThan(range?.kept ?? 0);
    expect(range?.prev).toBeGreaterThan(1);
  });

  it("memory: applied but never durable -> protection is given up before anything is lost", () => {
    const driven = new Driven([A], { retentionBytesMax: 50_000, sealBytes: 1000 });
    for (let i = 0; i < 200; i++) for (const sent of driven.lines(A, `${"x".repeat(996)} f=\n`)) driven.answer(sent, "applied");
    expect(driven.router.retention.linesLost).toBe(0);
    expect(driven.router.retention.batchesUnprotected).toBeGreaterThan(100);
    expect(driven.router.retention.bytes).toBeLessThan(50_000);
  });

  it("memory: everybody stands still -> new input is refused, nothing is lost", () => {
    const driven = new Driven([A, B], { retentionBytesMax: 100_000, sealBytes: 1000 });
    for (let i = 0; i < 200 && !driven.router.full; i++) for (const lane of [A, B]) driven.lines(lane, `${"x".repeat(996)} f=\n`);
    expect(driven.router.full).toBe(true);
    expect(driven.router.retention.linesLost).toBe(0);
  });
});

describe("router, stop", () => {
  it("everything is taken -> goodbye, stopped with nothing left", () => {
    const driven = new Driven([A]);
    driven.lines(A, "x f=1\n");
    const [sent] = driven.do({ kind: "stop", deadlineMs: driven.now + 5000 });
    driven.answer(sent as Sent, "applied", { durable: 1 });
    const [goodbye] = driven.pass(100);
    expect(goodbye?.head.ranges[0]).toMatchObject({ prev: 0, oldestMs: undefined });
    driven.answer(goodbye as Sent, "duplicate", { applied: 1, durable: 1 });
    expect(driven.said.at(-1)).toEqual({ kind: "stopped", left: { batches: 0, lines: 0, batchesUnprotected: 0 } });
  });

  it("nobody answers -> stopped at the deadline, and what is lost is told", () => {
    const driven = new Driven([A, null]);
    driven.lines(A, "x f=1\ny f=1\n");
    driven.lines(HELD, "z f=1\n");
    driven.do({ kind: "stop", deadlineMs: driven.now + 5000 });
    driven.pass(4960);
    expect(driven.said.some(({ kind }) => kind === "stopped")).toBe(false);
    driven.pass(60);
    expect(driven.said.filter(({ kind }) => kind === "stopped")).toEqual([
      { kind: "stopped", left: { batches: 2, lines: 3, batchesUnprotected: 0 } },
    ]);
  });
});
