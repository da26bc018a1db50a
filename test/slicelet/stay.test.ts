// Restart in place as a Slicelet sees it: it stands still at a stop, and what lies in --data is served when it is granted and not before.
import { describe, expect, it } from "@jest/globals";
import type { Assignment } from "#limpet/slice/assignment.js";
import { KEY_END } from "#limpet/slice/keyRange.js";
import type { NumberedRange } from "#limpet/slice/report.js";
import type { SliceletAction } from "#limpet/slicelet/slicelet.js";
import { assignment, CUT, carry, generation, Peer, pick, upToGo } from "./pair.js";

const LINES = "5 10100 1\n7 10200 2\n";
const kinds = (actions: readonly SliceletAction[]): string[] => actions.map(({ kind }) => kind);

/** a serves both slices; generation 2 moves the first one to b. */
function pair(): { readonly a: Peer; readonly b: Peer; readonly published: SliceletAction[] } {
  const [a, b] = [new Peer("a"), new Peer("b")];
  for (const peer of [a, b]) peer.step({ kind: "assignment", assignment: assignment(1, ["a", "a"]) });
  a.batch(1, 0, LINES);
  const next = assignment(2, ["a", "a"], { moving: ["b", 2] });
  b.step({ kind: "assignment", assignment: next });
  return { a, b, published: a.step({ kind: "assignment", assignment: next }) };
}

/** What a left, in a new incarnation of it. */
function back(a: Peer, offers = offersOf(a)): Peer {
  return new Peer("a2", { address: "http://a", disk: a.holdings.keep(a.nowMs), offers });
}

function offersOf(a: Peer): NumberedRange[] {
  return a.holdings.held().map(({ low, high, term }) => ({ low, high, number: term }));
}

/** Owner a2 of both slices, in these terms. */
function granted(number: number, terms: readonly [number, number]): Assignment {
  return assignment(number, ["a2", "a2"], { terms });
}

describe("slicelet: stop in place", () => {
  it("serving -> says so at once, stands still, and batches wait", () => {
    const { a } = pair();
    const actions = a.step({ kind: "stop", how: "stay" });
    expect(pick(actions, "report").report).toMatchObject({ state: "staying", aborted: [{ low: 0, high: CUT, number: generation(2) }] });
    expect(kinds(actions).at(-1)).toBe("stopped");
    expect(a.holds).toEqual([`0-${String(CUT)} 1 frozen`, `${String(CUT)}-4294967296 1 frozen`]);
    expect(a.batch(2, 1, LINES)).toMatchObject([{ answer: "wait" }]);
    expect(a.holdings.close(a.nowMs + 60_000)).toEqual([]);
  });

  it("a move whose rows are on their way out of the sinks -> stopped when they are back, and the range is frozen then too", () => {
    const { a, b, published } = pair();
    const { range, move } = pick(carry(a, b, pick(published, "send_copy")), "withdraw");
    expect(kinds(a.step({ kind: "stop", how: "stay" }))).not.toContain("stopped");
    const actions = a.step({ kind: "withdrawn", range, move, outbox: ["row"] });
    expect(pick(actions, "resume").outbox).toEqual(["row"]);
    expect(kinds(actions)).toContain("stopped");
    expect(a.holds[0]).toBe(`0-${String(CUT)} 1 frozen`);
  });

  it("go was said -> the range is nowhere here, and stopped only when it has arrived", () => {
    const { a, b, published } = pair();
    const { go } = upToGo(a, b, published);
    expect(kinds(a.step({ kind: "stop", how: "stay" }))).not.toContain("stopped");
    expect(a.holds).toEqual([`${String(CUT)}-4294967296 1 frozen`]);
    expect(kinds(a.step({ kind: "go_answered", go, answer: "serving" }))).toEqual(["moved", "stopped"]);
  });

  it("go is waited for -> it is taken, and what came stands still with the rest", () => {
    const { a, b, published } = pair();
    const { go } = upToGo(a, b, published);
    expect(kinds(b.step({ kind: "stop", how: "stay" }))).not.toContain("stopped");
    const actions = b.step({ kind: "go", go, reply: 1 });
    expect(pick(actions, "go_answer").answer).toBe("serving");
    expect(kinds(actions).at(-1)).toBe("stopped");
    expect(b.holds).toEqual([`0-${String(CUT)} 2 frozen`]);
    expect(pick(actions, "report").report.serves).toMatchObject([{ low: 0, high: CUT, term: generation(2) }]);
  });

  it("a copy that comes then -> refused; an assignment that gives more -> nothing is opened", () => {
    const { a, b, published } = pair();
    const copy = pick(published, "send_copy");
    b.step({ kind: "stop", how: "stay" });
    expect(pick(b.step({ kind: "copy", head: copy.head, bytes: copy.bytes, reply: 1 }), "copy_answer").answer).toBe("refused");
    b.step({ kind: "assignment", assignment: assignment(3, ["b", "b"], { terms: [3, 3] }) });
    expect([b.holds, a.holds.length]).toEqual([[], 2]);
  });

  it("draining and something left -> it may still stay", () => {
    const { a } = pair();
    a.step({ kind: "stop", how: "drain" });
    expect(kinds(a.step({ kind: "stop", how: "stay" })).at(-1)).toBe("stopped");
    expect(a.slicelet.state).toBe("staying");
  });
});

describe("slicelet: back in place", () => {
  function stopped(): Peer {
    const a = new Peer("a");
    a.step({ kind: "assignment", assignment: assignment(1, ["a", "a"]) });
    a.batch(1, 0, LINES);
    a.step({ kind: "stop", how: "stay" });
    return a;
  }

  it("not granted yet -> offered by term, and served to nobody, whatever address and Assignment of before say", () => {
    const fresh = back(stopped());
    fresh.step({ kind: "assignment", assignment: assignment(1, ["a", "a"]) });
    expect(pick(fresh.step({ kind: "tick" }), "report").report).toMatchObject({
      serves: [],
      offers: [
        { low: 0, high: CUT, number: generation(1) },
        { low: CUT, high: KEY_END, number: generation(1) },
      ],
    });
    expect(fresh.batch(2, 1, LINES)).toMatchObject([{ answer: "elsewhere" }]);
  });

  it("granted in its very term -> serves, knowing what was applied before; offered no more", () => {
    const fresh = back(stopped());
    fresh.step({ kind: "assignment", assignment: granted(2, [1, 1]) });
    expect(fresh.batch(1, 0, LINES)).toMatchObject([{ answer: "duplicate" }]);
    expect(fresh.batch(2, 1, LINES)).toMatchObject([{ answer: "applied" }]);
    expect(fresh.slicelet.offers).toEqual([]);
  });

  it("granted in part, the rest given away meanwhile -> the rest is lost, said and dropped", () => {
    const fresh = back(stopped());
    const actions = fresh.step({ kind: "assignment", assignment: assignment(3, ["a2", "b"], { terms: [1, 3] }) });
    expect(pick(actions, "lost")).toMatchObject({ range: { low: CUT, high: KEY_END } });
    expect(pick(actions, "lost").reason).toContain("kept in --data in term 1.1, but given away empty in term 1.3");
    expect([fresh.holds, fresh.slicelet.offers]).toEqual([[`0-${String(CUT)} 1`], []]);
    expect(fresh.holdings.keep(0).offers).toHaveLength(1);
  });

  it("an offer wider than what is granted -> the rest stays on offer", () => {
    const a = stopped();
    const fresh = back(a, [{ low: 0, high: KEY_END, number: generation(1) }]);
    fresh.step({ kind: "assignment", assignment: assignment(2, ["a2", "a"]) });
    expect(fresh.slicelet.offers).toEqual([{ low: CUT, high: KEY_END, number: generation(1) }]);
  });

  it("a move that was called off -> its copy is spare, and nothing is lost by it", () => {
    const fresh = back(stopped(), [{ low: 0, high: CUT, number: generation(2) }]);
    expect(kinds(fresh.step({ kind: "assignment", assignment: assignment(2, ["b", "b"], { moving: ["a", 2] }) }))).toEqual([]);
    const actions = fresh.step({ kind: "assignment", assignment: assignment(3, ["b", "b"]) });
    expect(pick(actions, "spare").reason).toContain("never handed it over in move 1.2");
  });

  it("an Assignment from before the state -> nothing is decided", () => {
    const fresh = back(stopped(), [{ low: 0, high: CUT, number: generation(5) }]);
    expect(kinds(fresh.step({ kind: "assignment", assignment: assignment(4, ["b", "b"], { terms: [3, 3] }) }))).toEqual([]);
    expect(fresh.slicelet.offers).toHaveLength(1);
  });

  it("somebody hands over newer state of it -> that is taken, the old is out of the way", () => {
    const b = new Peer("b");
    b.step({ kind: "assignment", assignment: assignment(3, ["b", "b"], { terms: [3, 3] }) });
    const fresh = back(stopped());
    const moving = assignment(4, ["b", "b"], { terms: [3, 3], moving: ["a2", 4] });
    const { go } = upToGo(b, fresh, b.step({ kind: "assignment", assignment: moving }));
    fresh.step({ kind: "assignment", assignment: moving });
    fresh.step({ kind: "go", go, reply: 1 });
    expect(fresh.holds).toEqual([`0-${String(CUT)} 4`]);
  });

  it("stopped again before it is granted -> all of it is still there", () => {
    const fresh = back(stopped());
    expect(kinds(fresh.step({ kind: "stop", how: "stay" })).at(-1)).toBe("stopped");
    fresh.step({ kind: "assignment", assignment: granted(2, [1, 1]) });
    expect([fresh.holds, fresh.holdings.keep(0).offers.length, fresh.slicelet.offers.length]).toEqual([[], 2, 2]);
  });
});
