// One Slicelet and its peers, message by message: serving, moving, and every order of messages that could make two owners or none.
import { describe, expect, it } from "@jest/globals";
import { describeMove } from "#limpet/slicelet/slicelet.js";
import { assignment, CUT, carry, generation, Peer, pick, upToGo } from "./pair.js";

const LINES = "5 10100 1\n7 10200 2\n";

/** a serves both slices in generation 1, then generation 2 moves the first one to b. */
function movingPair() {
  const a = new Peer("a");
  const b = new Peer("b");
  const first = assignment(1, ["a", "a"]);
  for (const peer of [a, b]) peer.step({ kind: "assignment", assignment: first });
  a.batch(1, 0, LINES);
  const next = assignment(2, ["a", "a"], { moving: ["b", 2] });
  b.step({ kind: "assignment", assignment: next });
  return { a, b, published: a.step({ kind: "assignment", assignment: next }) };
}

describe("slicelet", () => {
  it("assignment: owner of both slices -> serves them, opened empty", () => {
    const a = new Peer("a");
    a.step({ kind: "assignment", assignment: assignment(1, ["a", "a"]) });
    expect(a.holds).toEqual([`0-${String(CUT)} 1`, `${String(CUT)}-4294967296 1`]);
    expect(a.batch(1, 0, LINES)).toEqual([{ low: 0, high: CUT, answer: "applied", applied: 1, durable: 1, owner: null }]);
    expect(a.batch(1, 0, LINES)).toMatchObject([{ answer: "duplicate" }]);
    expect(a.batch(3, 2, LINES)).toMatchObject([{ answer: "gap", applied: 1 }]);
  });

  it("batch: a range of somebody else -> elsewhere, with the owner's address", () => {
    const b = new Peer("b");
    expect(b.batch(1, 0, LINES)).toMatchObject([{ answer: "elsewhere", owner: null }]);
    b.step({ kind: "assignment", assignment: assignment(1, ["a", "b"]) });
    expect(b.batch(1, 0, LINES)).toMatchObject([{ answer: "elsewhere", owner: "http://a" }]);
  });

  it("move: copy, freeze, last copy, installed, go -> the target serves, and no batch was refused but told to wait", () => {
    const { a, b, published } = movingPair();
    const go = upToGo(a, b, published);
    expect(a.holds).toEqual([`${String(CUT)}-4294967296 1`]);
    expect(b.holds).toEqual([`0-${String(CUT)} 2 frozen`]);
    expect(a.batch(2, 1, LINES)).toMatchObject([{ answer: "elsewhere", owner: "http://b" }]);
    expect(b.batch(2, 1, LINES)).toMatchObject([{ answer: "wait" }]);
    const served = b.step({ kind: "go", go: go.go, reply: 2 });
    expect(pick(served, "go_answer").answer).toBe("serving");
    expect(pick(served, "resume").outbox).toEqual(["row"]);
    expect(b.batch(1, 0, LINES)).toMatchObject([{ answer: "duplicate" }]);
    expect(b.batch(2, 1, LINES)).toMatchObject([{ answer: "applied" }]);
    expect(pick(a.step({ kind: "go_answered", go: go.go, answer: "serving" }), "moved").how).toBe("out");
    expect(a.slicelet.moving).toEqual([]);
  });

  it("move: the owner has said go -> its next report says so, until an assignment does", () => {
    const { a, b, published } = movingPair();
    upToGo(a, b, published);
    a.nowMs += 600;
    expect(pick(a.step({ kind: "tick" }), "report").report.moved).toEqual([{ low: 0, high: CUT, number: generation(2) }]);
    a.step({ kind: "assignment", assignment: assignment(3, ["b", "a"], { terms: [2, 1] }) });
    a.nowMs += 600;
    expect(pick(a.step({ kind: "tick" }), "report").report.moved).toEqual([]);
  });

  it("go: lost -> said again; heard twice -> serving both times", () => {
    const { a, b, published } = movingPair();
    const go = upToGo(a, b, published);
    a.nowMs += 1500;
    const again = pick(a.step({ kind: "tick" }), "send_go");
    expect(again.go).toEqual(go.go);
    for (let i = 0; i < 2; i++) expect(pick(b.step({ kind: "go", go: again.go, reply: 2 }), "go_answer").answer).toBe("serving");
  });

  it("go: lost, but an assignment names the target owner in the move's term -> as good as go", () => {
    const { a, b, published } = movingPair();
    upToGo(a, b, published);
    const actions = b.step({ kind: "assignment", assignment: assignment(3, ["b", "a"], { terms: [2, 1] }) });
    expect(pick(actions, "moved").how).toBe("in");
    expect(b.batch(2, 1, LINES)).toMatchObject([{ answer: "applied" }]);
  });

  it("assignment: older than a finished move -> the new owner goes on, the old one opens nothing", () => {
    const { a, b, published } = movingPair();
    const go = upToGo(a, b, published);
    b.step({ kind: "go", go: go.go, reply: 2 });
    a.step({ kind: "go_answered", go: go.go, answer: "serving" });
    // Somebody made generation 3 before the owner's word arrived.
    const late = assignment(3, ["a", "a"], { moving: ["b", 2] });
    a.step({ kind: "assignment", assignment: late });
    b.step({ kind: "assignment", assignment: late });
    expect(a.holds).toEqual([`${String(CUT)}-4294967296 1`]);
    expect(b.holds).toEqual([`0-${String(CUT)} 2`]);
  });

  it("abort: the target never answers the last copy -> the owner serves again and says that the move is dead", () => {
    const { a, b, published } = movingPair();
    const { range, move } = pick(carry(a, b, pick(published, "send_copy")), "withdraw");
    const closing = pick(a.step({ kind: "withdrawn", range, move, outbox: ["row"] }), "send_copy");
    b.step({ kind: "copy", head: closing.head, bytes: closing.bytes, reply: 1 });
    a.nowMs += 6000;
    const actions = a.step({ kind: "tick" });
    expect(pick(actions, "resume").outbox).toEqual(["row"]);
    expect(pick(actions, "report").report.aborted).toEqual([{ low: 0, high: CUT, number: generation(2) }]);
    expect(a.batch(2, 1, LINES)).toMatchObject([{ answer: "applied" }]);
    // The late answer changes nothing, and the target forgets what it installed once the assignment says so.
    expect(a.step({ kind: "copy_answered", head: closing.head, answer: "installed" })).toEqual([]);
    b.step({ kind: "assignment", assignment: assignment(3, ["a", "a"]) });
    expect(b.holds).toEqual([]);
    expect(pick(b.step({ kind: "copy", head: closing.head, bytes: closing.bytes, reply: 1 }), "copy_answer").answer).toBe("refused");
  });

  it("abort: while the sinks give back -> waits for them: closes nothing newer, then serves with the rows before it", () => {
    const { a, b, published } = movingPair();
    const { range, move } = pick(carry(a, b, pick(published, "send_copy")), "withdraw");
    // The target is gone.
    const ended = a.step({ kind: "assignment", assignment: assignment(3, ["a", "a"]) });
    expect(ended.map(({ kind }) => kind)).toEqual([]);
    expect(a.batch(2, 1, LINES)).toMatchObject([{ answer: "wait" }]);
    const actions = a.step({ kind: "withdrawn", range, move, outbox: ["row"] });
    expect(actions.map(({ kind }) => kind)).toEqual(["resume", "moved"]);
    expect(pick(actions, "moved").how).toBe("aborted");
    expect(a.batch(2, 1, LINES)).toMatchObject([{ answer: "applied" }]);
  });

  it("keep: moves before go are aborted with their rows, one after go ends, and none begins", () => {
    const before = movingPair();
    const { range, move } = pick(carry(before.a, before.b, pick(before.published, "send_copy")), "withdraw");
    before.a.step({ kind: "withdrawn", range, move, outbox: ["row"] });
    const kept = before.a.step({ kind: "keep" });
    expect(pick(kept, "resume").outbox).toEqual(["row"]);
    expect(before.a.batch(2, 1, LINES)).toMatchObject([{ answer: "applied" }]);
    expect(before.a.step({ kind: "assignment", assignment: assignment(3, ["a", "a"], { moving: ["b", 3] }) })).toEqual([]);
    const after = movingPair();
    const go = upToGo(after.a, after.b, after.published);
    expect(after.a.step({ kind: "keep" })).toEqual([]);
    expect(pick(after.a.step({ kind: "go_answered", go: go.go, answer: "serving" }), "moved").how).toBe("out");
  });

  it("abort: a copy of the dead move arrives after the next move's -> the next move goes on", () => {
    const { a, b, published } = movingPair();
    const dead = pick(published, "send_copy");
    a.nowMs += 11_000;
    a.step({ kind: "tick" });
    const again = assignment(3, ["a", "a"], { moving: ["b", 3] });
    b.step({ kind: "assignment", assignment: again });
    const republished = a.step({ kind: "assignment", assignment: again });
    expect(pick(b.step({ kind: "copy", head: dead.head, bytes: dead.bytes, reply: 1 }), "copy_answer").answer).toBe("refused");
    const go = upToGo(a, b, republished);
    expect(pick(b.step({ kind: "go", go: go.go, reply: 1 }), "go_answer").answer).toBe("serving");
  });

  it("copy: an increment whose base is missing -> send_full, and the move ends well", () => {
    const { a, published } = movingPair();
    const fresh = new Peer("b");
    fresh.step({ kind: "assignment", assignment: assignment(2, ["a", "a"], { moving: ["b", 2] }) });
    const { range, move } = pick(carry(a, fresh, pick(published, "send_copy")), "withdraw");
    const closing = pick(a.step({ kind: "withdrawn", range, move, outbox: [] }), "send_copy");
    expect(closing.head.full).toBe(false);
    const empty = new Peer("b");
    empty.step({ kind: "assignment", assignment: assignment(2, ["a", "a"], { moving: ["b", 2] }) });
    const full = pick(carry(a, empty, closing), "send_copy");
    expect(full.head).toMatchObject({ full: true, final: true });
    const go = pick(carry(a, empty, full), "send_go");
    expect(pick(empty.step({ kind: "go", go: go.go, reply: 1 }), "go_answer").answer).toBe("serving");
    expect(empty.batch(1, 0, LINES)).toMatchObject([{ answer: "duplicate" }]);
  });

  it("copy, go: for another incarnation -> refused, unknown", () => {
    const { published } = movingPair();
    const other = new Peer("b2");
    const sent = pick(published, "send_copy");
    expect(pick(other.step({ kind: "copy", head: sent.head, bytes: sent.bytes, reply: 1 }), "copy_answer").answer).toBe("refused");
    const { low, high, from, to, move } = sent.head;
    expect(pick(other.step({ kind: "go", go: { low, high, from, to, move }, reply: 1 }), "go_answer").answer).toBe("unknown");
  });

  it("move: the target is already gone -> the owner says that the move is dead and goes on serving", () => {
    const a = new Peer("a");
    a.step({ kind: "assignment", assignment: assignment(1, ["a", "a"]) });
    const next = assignment(2, ["a", "a"], { moving: ["b", 2] });
    const resources = next.resources.map((one) => (one.id === "b" ? { ...one, state: "gone" as const } : one));
    a.step({ kind: "assignment", assignment: { ...next, resources } });
    a.nowMs += 600;
    expect(pick(a.step({ kind: "tick" }), "report").report.aborted).toHaveLength(1);
    expect(a.batch(1, 0, LINES)).toMatchObject([{ answer: "applied" }]);
  });

  it("replaced: an assignment gives the slice away in a newer term -> the state is dropped and called lost", () => {
    const a = new Peer("a");
    a.step({ kind: "assignment", assignment: assignment(1, ["a", "a"]) });
    const actions = a.step({ kind: "assignment", assignment: assignment(5, ["b", "a"], { terms: [5, 1] }) });
    expect(pick(actions, "lost").range).toEqual({ low: 0, high: CUT });
    expect(a.batch(1, 0, LINES)).toMatchObject([{ answer: "elsewhere", owner: "http://b" }]);
  });

  it("move: every end of it -> said in words", () => {
    const about = { kind: "moved", range: { low: 0, high: CUT }, move: generation(7), pauseMs: 12.3 } as const;
    expect((["in", "out", "aborted"] as const).map((how) => describeMove({ ...about, how }))).toEqual([
      "slice 00000000-000003e8 moved in (1.7)",
      "slice 00000000-000003e8 moved out (1.7), frozen for 12 ms",
      "slice 00000000-000003e8 was not moved (1.7), frozen for 12 ms",
    ]);
  });

  /** Draining, with everything handed on and no Assignment yet that says so. */
  function emptied(): Peer {
    const { a, b } = movingPair();
    expect(pick(a.step({ kind: "stop", how: "drain" }), "report").report.state).toBe("draining");
    const all = {
      ...assignment(3, ["a", "a"]),
      slices: [{ low: 0, high: 4294967296, owner: "a", standby: null, movingTo: "b", move: generation(3), term: generation(1) }],
    };
    b.step({ kind: "assignment", assignment: all });
    const go = upToGo(a, b, a.step({ kind: "assignment", assignment: all }));
    b.step({ kind: "go", go: go.go, reply: 1 });
    expect(a.step({ kind: "go_answered", go: go.go, answer: "serving" }).map(({ kind }) => kind)).toEqual(["moved"]);
    return a;
  }

  it("drain: everything handed on and recorded -> stopped, once", () => {
    const a = emptied();
    const done = { ...assignment(4, ["b", "b"], { terms: [3, 3] }) };
    pick(a.step({ kind: "assignment", assignment: done }), "stopped");
    a.nowMs += 600;
    expect(a.step({ kind: "tick" }).map(({ kind }) => kind)).toEqual(["report"]);
  });

  it("drain: everything handed on, the assigner records nothing -> says where it went for 2 s, then stopped", () => {
    const a = emptied();
    a.nowMs += 1900;
    expect(a.step({ kind: "tick" }).map(({ kind }) => kind)).toEqual(["report"]);
    expect(a.batch(1, 0, LINES)).toMatchObject([{ answer: "elsewhere", owner: "http://b" }]);
    a.nowMs += 100;
    pick(a.step({ kind: "tick" }), "stopped");
  });

  it("drain: nothing held, and a move to it was published before it said so -> takes no copy: it may end at any moment", () => {
    const a = new Peer("a");
    const b = new Peer("b");
    const before = assignment(1, ["a", "b"]);
    for (const peer of [a, b])
      peer.step({ kind: "assignment", assignment: { ...before, slices: before.slices.map((slice) => ({ ...slice, owner: "a" })) } });
    const moving = {
      ...assignment(3, ["a", "a"]),
      slices: [{ low: 0, high: 4294967296, owner: "a", standby: null, movingTo: "b", move: generation(3), term: generation(1) }],
    };
    pick(b.step({ kind: "stop", how: "drain" }), "stopped");
    b.step({ kind: "assignment", assignment: moving });
    const { head, bytes } = pick(a.step({ kind: "assignment", assignment: moving }), "send_copy");
    expect(pick(b.step({ kind: "copy", head, bytes, reply: 1 }), "copy_answer").answer).toBe("refused");
    expect(pick(a.step({ kind: "copy_answered", head, answer: "refused" }), "moved").how).toBe("aborted");
  });
});
