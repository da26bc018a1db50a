// The assigner in virtual time, with Slicelets that keep to the protocol (cluster.ts): what it does when Resources come, go, stay,
// die and come back. Tables show what people see.
import { describe, expect, it } from "@jest/globals";
import type { Assignment } from "#limpet/slice/assignment.js";
import { compareGenerations, formatGeneration } from "#limpet/slice/generation.js";
import { Cluster, type FakeSlicelet } from "./cluster.js";

/** A settled cluster of some Resources. */
function settled(names: readonly string[], limits = {}): { readonly cluster: Cluster; readonly slicelets: readonly FakeSlicelet[] } {
  const cluster = new Cluster({ limits });
  const slicelets = names.map((name) => cluster.start(name));
  cluster.run(5000);
  return { cluster, slicelets };
}

function at<T>(list: readonly T[], index: number): T {
  const item = list[index];
  if (item === undefined) throw new Error(`there is no item ${String(index)}`);
  return item;
}

/** What a process that stopped with --data offers when it comes back. */
function offersOf({ serves }: FakeSlicelet): FakeSlicelet["offers"] {
  return serves.map(({ low, high, term }) => ({ low, high, number: term }));
}

function sharesOf(cluster: Cluster): string {
  return cluster
    .table()
    .split("\n")
    .slice(2, -1)
    .map((row) => row.replace(/ +[\d.]+$/, "").replace(/ +/g, " "))
    .join("\n");
}

describe("assigner: the first Assignment", () => {
  it("three report -> nothing for a lease, then even blocks", () => {
    const cluster = new Cluster();
    for (const name of ["a", "b", "c"]) cluster.start(name);
    cluster.run(2900);
    expect(cluster.published).toHaveLength(0);
    cluster.run(200);
    expect(cluster.table()).toBe(`generation 1.1  rules r1
resource  state    slices  share   load
a:4581@1  running  32      33.33%  0.00
b:4581@1  running  32      33.33%  0.00
c:4581@1  running  32      33.33%  0.00
`);
    expect(cluster.assignment.slices.findIndex(({ owner }) => owner === "b:4581@1")).toBe(32);
  });

  it("one wanted and one more late -> the late one is filled by balancing", () => {
    const { cluster } = settled(["a"]);
    cluster.start("b");
    cluster.run(120_000);
    expect(cluster.imbalance()).toBeLessThan(1.1);
  });

  it("resourcesMin 3: two there -> waits; the third -> at once", () => {
    const cluster = new Cluster({ limits: { resourcesMin: 3 } });
    cluster.start("a");
    cluster.start("b");
    cluster.run(20_000);
    expect(cluster.published).toHaveLength(0);
    cluster.start("c");
    cluster.run(200);
    expect(sharesOf(cluster)).toContain("c:4581@1 running 32 33.33%");
  });

  it("resourcesMin 3: the third never comes -> the two after ten leases", () => {
    const cluster = new Cluster({ limits: { resourcesMin: 3 } });
    cluster.start("a");
    cluster.start("b");
    cluster.run(31_000);
    expect(sharesOf(cluster)).toBe("a:4581@1 running 32 50.00%\nb:4581@1 running 32 50.00%");
  });

  it("only draining ones there -> none", () => {
    const cluster = new Cluster();
    cluster.start("a").state = "draining";
    cluster.run(20_000);
    expect(cluster.published).toHaveLength(0);
  });
});

describe("assigner: quiet", () => {
  it("nothing happens for ten minutes -> no new Generation, loads or not", () => {
    const { cluster } = settled(["a", "b", "c"]);
    const count = cluster.published.length;
    cluster.run(600_000);
    expect(cluster.published).toHaveLength(count);
  });

  it("rules change -> one Generation that names them", () => {
    const { cluster } = settled(["a", "b"]);
    const count = cluster.published.length;
    cluster.tell({ kind: "rules", hash: "r2" });
    cluster.run(10_000);
    expect(cluster.published).toHaveLength(count + 1);
    expect(cluster.assignment.rules).toBe("r2");
  });
});

describe("assigner: leaving", () => {
  it("drain with nobody new -> spread over the others, at most movesMax at a time, only its slices move", () => {
    const { cluster, slicelets } = settled(["a", "b", "c"]);
    const b = at(slicelets, 1);
    b.state = "draining";
    let most = 0;
    cluster.runUntil(() => {
      most = Math.max(most, cluster.assignment.slices.filter(({ movingTo }) => movingTo !== null).length);
      return b.serves.length === 0;
    });
    cluster.run(2000);
    expect(most).toBe(8);
    expect(sharesOf(cluster)).toBe("a:4581@1 running 48 50.00%\nb:4581@1 draining 0 0.00%\nc:4581@1 running 48 50.00%");
    expect(cluster.churn.keys).toBeCloseTo(1 / 3, 5);
    expect(new Set(cluster.decisions.map(({ reason }) => reason))).toEqual(new Set(["first", "drain"]));
  });

  it("a new process is there -> it is the heir of the whole set", () => {
    const { cluster, slicelets } = settled(["a", "b", "c"]);
    cluster.start("d");
    cluster.run(1000);
    at(slicelets, 0).state = "draining";
    cluster.runUntil(() => at(slicelets, 0).serves.length === 0);
    cluster.run(30_000);
    expect(sharesOf(cluster)).toContain("d:4581@1 running 32 33.33%");
    expect(cluster.churn.keys).toBeCloseTo(1 / 3, 5);
  });

  it("operator's word -> drained; it says running for ever -> still drained", () => {
    const { cluster } = settled(["a", "b"]);
    cluster.tell({ kind: "drain", resource: "a:4581@1" });
    cluster.run(60_000);
    expect(sharesOf(cluster)).toBe("a:4581@1 draining 0 0.00%\nb:4581@1 running 64 100.00%");
  });

  it("drain with nobody to take it -> nothing moves", () => {
    const { cluster, slicelets } = settled(["a"]);
    at(slicelets, 0).state = "draining";
    cluster.run(30_000);
    expect(cluster.assignment.slices.every(({ owner, movingTo }) => owner === "a:4581@1" && movingTo === null)).toBe(true);
  });

  it("the owner calls moves off -> each tried again later under a new number", () => {
    const { cluster, slicelets } = settled(["a", "b"]);
    const a = at(slicelets, 0);
    a.refuses = true;
    a.state = "draining";
    cluster.run(10_000);
    expect(a.serves).toHaveLength(32);
    const moves = cluster.published.flatMap(({ slices }) =>
      slices.filter(({ low, move }) => low === 0 && move !== null).map(({ move }) => move?.number ?? 0),
    );
    // Every 3 s, in 10 s.
    expect(new Set(moves).size).toBeGreaterThan(2);
    expect(new Set(moves).size).toBeLessThan(5);
    a.refuses = false;
    cluster.run(20_000);
    expect(a.serves).toHaveLength(0);
  });
});

describe("assigner: dying", () => {
  it("silence for a lease -> given away empty in a new term, spread; nobody else is touched", () => {
    const { cluster, slicelets } = settled(["a", "b", "c"]);
    const killedMs = cluster.nowMs;
    cluster.kill(at(slicelets, 0));
    cluster.runUntil(() => cluster.assignment.slices.every(({ owner }) => owner !== "a:4581@1"));
    expect(cluster.nowMs - killedMs).toBeGreaterThanOrEqual(2400);
    expect(cluster.nowMs - killedMs).toBeLessThanOrEqual(3300);
    expect(sharesOf(cluster)).toBe("b:4581@1 running 48 50.00%\nc:4581@1 running 48 50.00%");
    const lost = cluster.decisions.filter(({ reason }) => reason === "lost");
    expect(lost).toHaveLength(32);
    const { generation, slices } = cluster.assignment;
    expect(slices.filter(({ term }) => compareGenerations(term, generation) === 0)).toHaveLength(32);
  });

  it("everybody dies -> the last Assignment stays; one comes back -> it waits a lease for the others", () => {
    const { cluster, slicelets } = settled(["a", "b"]);
    const last = cluster.assignment;
    for (const slicelet of slicelets) cluster.kill(slicelet);
    cluster.run(60_000);
    expect(cluster.assignment).toBe(last);
    cluster.start("a", "2");
    cluster.run(2000);
    cluster.start("b", "2");
    cluster.run(3000);
    expect(cluster.loads().size).toBe(2);
    expect(cluster.imbalance()).toBeLessThan(1.05);
  });

  it("owner dies in a move, the target serves -> the target's, in the move's term", () => {
    const { cluster, slicelets } = settled(["a", "b", "c"]);
    const [a, b] = [at(slicelets, 0), at(slicelets, 1)];
    a.state = "draining";
    cluster.runUntil(() => a.handing.length > 0);
    // The go has arrived, its owner's word has not.
    const { low, high, move, to } = at(a.handing, 0);
    const target = to === b.id ? b : at(slicelets, 2);
    cluster.kill(a);
    target.serves.push({ low, high, term: move });
    cluster.run(6000);
    const slice = cluster.assignment.slices.find((candidate) => candidate.low === low);
    expect([slice?.owner, slice?.term]).toEqual([to, move]);
  });

  it("target dies in a move -> the move stays until the owner calls it off", () => {
    const { cluster, slicelets } = settled(["a", "b", "c"], { movesMax: 1 });
    const a = at(slicelets, 0);
    a.state = "draining";
    cluster.runUntil(() => a.handing.length > 0);
    const { to } = at(a.handing, 0);
    const target = at(slicelets, to === "b:4581@1" ? 1 : 2);
    a.handing = [];
    cluster.kill(target);
    cluster.mute(a, true);
    cluster.run(2000);
    expect(cluster.assignment.slices.filter(({ movingTo }) => movingTo !== null)).toHaveLength(1);
    cluster.mute(a, false);
    cluster.runUntil(() => a.serves.length === 0);
    expect(cluster.decisions.filter(({ kind, reason }) => kind === "aborted" && reason === "drain").length).toBeGreaterThan(0);
  });

  it("another incarnation at the address -> the old one is gone at once, and owns nothing by address", () => {
    const { cluster, slicelets } = settled(["a", "b"]);
    cluster.kill(at(slicelets, 0));
    cluster.start("a", "2");
    cluster.run(700);
    const { slices } = cluster.assignment;
    expect(slices.some(({ owner }) => owner === "a:4581@1")).toBe(false);
    expect(cluster.decisions.filter(({ reason }) => reason === "lost")).toHaveLength(32);
  });

  it("silent and back (a partition) -> it may own again", () => {
    const { cluster, slicelets } = settled(["a", "b"]);
    const a = at(slicelets, 0);
    cluster.mute(a, true);
    cluster.run(5000);
    expect(sharesOf(cluster)).toBe("b:4581@1 running 64 100.00%");
    cluster.mute(a, false);
    cluster.run(120_000);
    expect(cluster.imbalance()).toBeLessThan(1.1);
  });
});

describe("assigner: staying", () => {
  function stop(cluster: Cluster, slicelet: FakeSlicelet): void {
    slicelet.state = "staying";
    cluster.report(slicelet);
    cluster.kill(slicelet);
  }

  it("back within `stay` with its state -> nothing moves, terms stay", () => {
    const { cluster, slicelets } = settled(["a", "b"]);
    const [a] = [at(slicelets, 0)];
    stop(cluster, a);
    cluster.run(10_000);
    const back = cluster.start("a", "2");
    back.offers = offersOf(a);
    cluster.run(3000);
    expect(cluster.churn).toEqual({ moves: 0, keys: 0, load: 0 });
    expect(sharesOf(cluster)).toBe("a:4581@2 running 32 50.00%\nb:4581@1 running 32 50.00%");
    expect(new Set(cluster.assignment.slices.map(({ term }) => formatGeneration(term)))).toEqual(new Set(["1.1"]));
    expect(cluster.decisions.filter(({ reason }) => reason === "lost")).toHaveLength(0);
  });

  it("all restart in place at once -> all get theirs", () => {
    const { cluster, slicelets } = settled(["a", "b", "c"]);
    for (const slicelet of slicelets) stop(cluster, slicelet);
    cluster.run(4000);
    for (const slicelet of slicelets) cluster.start(at(slicelet.address.split(/[/:]+/), 1), "2").offers = offersOf(slicelet);
    cluster.run(3000);
    expect(cluster.churn.moves).toBe(0);
    expect(sharesOf(cluster)).toBe("a:4581@2 running 32 33.33%\nb:4581@2 running 32 33.33%\nc:4581@2 running 32 33.33%");
  });

  it("back after `stay` -> held until then, granted then", () => {
    const { cluster, slicelets } = settled(["a", "b"]);
    const a = at(slicelets, 0);
    stop(cluster, a);
    cluster.run(20_000);
    expect(cluster.assignment.slices.filter(({ owner }) => owner === null)).toHaveLength(32);
    cluster.start("a", "2").offers = offersOf(a);
    cluster.run(1000);
    expect(sharesOf(cluster)).toContain("a:4581@2 running 32 50.00%");
    expect(cluster.decisions.filter(({ reason }) => reason === "lost")).toHaveLength(0);
  });

  it("back without its state -> given away empty at once, not held", () => {
    const { cluster, slicelets } = settled(["a", "b"]);
    stop(cluster, at(slicelets, 0));
    cluster.run(2000);
    expect(cluster.decisions.filter(({ reason }) => reason === "lost")).toHaveLength(0);
    cluster.start("a", "2");
    cluster.run(1000);
    expect(cluster.decisions.filter(({ reason }) => reason === "lost")).toHaveLength(32);
    expect(cluster.assignment.slices.filter(({ owner }) => owner === null || owner === "a:4581@1")).toEqual([]);
  });

  it("drained, then stays with what nobody took -> kept for it", () => {
    const { cluster, slicelets } = settled(["a", "b"]);
    const a = at(slicelets, 0);
    a.state = "draining";
    cluster.run(300);
    a.handing = [];
    stop(cluster, a);
    const left = a.serves.length;
    expect(left).toBeGreaterThan(0);
    cluster.run(10_000);
    cluster.start("a", "2").offers = offersOf(a);
    cluster.run(3000);
    expect(sharesOf(cluster)).toContain(`a:4581@2 running ${String(left)} `);
    expect(cluster.decisions.filter(({ reason }) => reason === "lost")).toHaveLength(0);
  });

  it("a word of the process before comes late, to an assigner that has restarted -> its successor stays", () => {
    const { cluster, slicelets } = settled(["a", "b"]);
    const a = at(slicelets, 0);
    stop(cluster, a);
    cluster.run(1000);
    const back = cluster.start("a", "2");
    back.offers = offersOf(a);
    cluster.run(3000);
    cluster.restartAssigner();
    cluster.report(a);
    cluster.run(30_000);
    expect(sharesOf(cluster)).toContain("a:4581@2 running 32 50.00%");
    expect(cluster.churn.moves).toBe(0);
  });

  it("back, and away again before it was granted anything -> kept for the next", () => {
    const { cluster, slicelets } = settled(["a", "b"]);
    const a = at(slicelets, 0);
    stop(cluster, a);
    cluster.run(12_000);
    const back = cluster.start("a", "2");
    back.offers = offersOf(a);
    stop(cluster, back);
    cluster.run(20_000);
    cluster.start("a", "3").offers = offersOf(a);
    cluster.run(3000);
    expect(sharesOf(cluster)).toContain("a:4581@3 running 32 50.00%");
    expect(cluster.decisions.filter(({ reason }) => reason === "lost")).toHaveLength(0);
  });

  it("never back -> held for `stay` more, then given away empty", () => {
    const { cluster, slicelets } = settled(["a", "b"]);
    stop(cluster, at(slicelets, 0));
    cluster.run(29_000);
    expect(cluster.decisions.filter(({ reason }) => reason === "lost")).toHaveLength(0);
    cluster.run(3000);
    expect(sharesOf(cluster)).toBe("b:4581@1 running 64 100.00%");
    expect(cluster.decisions.filter(({ reason }) => reason === "lost")).toHaveLength(32);
  });

  it("offers of a term that is no more -> not granted", () => {
    const { cluster, slicelets } = settled(["a", "b"]);
    const a = at(slicelets, 0);
    const old = offersOf(a);
    cluster.kill(a);
    cluster.run(6000);
    cluster.start("a", "2").offers = old;
    cluster.run(2000);
    expect(cluster.assignment.slices.every(({ owner }) => owner === "b:4581@1")).toBe(true);
  });
});

describe("assigner: its own restart", () => {
  it("store as it was -> no Generation, nothing moves", () => {
    const { cluster } = settled(["a", "b", "c"]);
    const last = cluster.assignment;
    cluster.restartAssigner();
    cluster.run(60_000);
    expect(cluster.assignment).toBe(last);
  });

  it("while slices move -> a lease first, though everybody knows the store's Generation, then it goes on", () => {
    const { cluster, slicelets } = settled(["a", "b", "c"]);
    at(slicelets, 0).state = "draining";
    cluster.runUntil(() => cluster.assignment.slices.some(({ move }) => move !== null));
    const count = cluster.published.length;
    cluster.restartAssigner();
    cluster.run(2800);
    expect(cluster.published).toHaveLength(count);
    cluster.run(20_000);
    expect(cluster.assignment.slices.some(({ owner }) => owner === "a:4581@1")).toBe(false);
  });

  it("an owner dies while it is away -> it has a full lease first", () => {
    const { cluster, slicelets } = settled(["a", "b"]);
    cluster.kill(at(slicelets, 0));
    cluster.restartAssigner();
    cluster.run(2800);
    expect(cluster.decisions.filter(({ reason }) => reason === "lost")).toHaveLength(0);
    cluster.run(600);
    expect(cluster.decisions.filter(({ reason }) => reason === "lost")).toHaveLength(32);
  });

  it.each<[string, (published: readonly Assignment[]) => "lost" | Assignment]>([
    ["lost", () => "lost"],
    ["rolled back", (published) => at(published, 1)],
  ])("store %s -> adopts what Slicelets know under a new incarnation; nothing moves", (_name, storedOf) => {
    const { cluster, slicelets } = settled(["a", "b", "c"]);
    at(slicelets, 0).state = "draining";
    cluster.run(20_000);
    const before = cluster.assignment;
    const { moves } = cluster.churn;
    cluster.restartAssigner(storedOf(cluster.published));
    cluster.run(30_000);
    expect(formatGeneration(cluster.assignment.generation)).toMatch(/^2\./);
    expect(cluster.assignment.slices).toEqual(before.slices);
    expect(cluster.churn.moves).toBe(moves);
  });

  it("store lost and every process new, with its state -> the newest state of each key is granted", () => {
    const { cluster, slicelets } = settled(["a", "b"]);
    for (const slicelet of slicelets) cluster.kill(slicelet);
    const offers = slicelets.map(offersOf);
    cluster.restartAssigner("lost");
    ["a", "b"].forEach((name, i) => {
      cluster.start(name, "2").offers = at(offers, i);
    });
    cluster.run(5000);
    expect(sharesOf(cluster)).toBe("a:4581@2 running 32 50.00%\nb:4581@2 running 32 50.00%");
    expect(cluster.churn.moves).toBe(0);
    expect(formatGeneration(cluster.assignment.generation)).toBe("2.2");
  });

  it("store rolled back under a running one -> refused, then on under a new incarnation", () => {
    const { cluster, slicelets } = settled(["a", "b"]);
    cluster.stored = undefined;
    at(slicelets, 0).state = "draining";
    cluster.run(20_000);
    expect(formatGeneration(cluster.assignment.generation)).toMatch(/^2\./);
    expect(cluster.loads().get("b:4581@1")).toBeCloseTo(1, 6);
  });

  it("another assigner wrote -> its Assignment is followed and published", () => {
    const { cluster, slicelets } = settled(["a", "b"]);
    const newer: Assignment = { ...cluster.assignment, generation: { incarnation: 1, number: 90 } };
    cluster.stored = newer;
    at(slicelets, 0).state = "draining";
    cluster.run(20_000);
    expect(cluster.published).toContain(newer);
    expect(cluster.assignment.generation.number).toBeGreaterThan(90);
    expect(cluster.loads().get("b:4581@1")).toBeCloseTo(1, 6);
  });

  it("the store cannot be written -> said, nothing published; it can again -> goes on", () => {
    const { cluster, slicelets } = settled(["a", "b"]);
    const last = cluster.assignment;
    cluster.writable = false;
    at(slicelets, 0).state = "draining";
    cluster.run(5000);
    expect(cluster.assignment).toBe(last);
    expect(cluster.notices.some((notice) => notice.startsWith("error the store cannot be written"))).toBe(true);
    cluster.writable = true;
    cluster.run(20_000);
    expect(cluster.loads().get("b:4581@1")).toBeCloseTo(1, 6);
  });
});
