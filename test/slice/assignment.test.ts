// Assignments: what they hold to, their wire form, their table; and the batch headers.
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { type Assignment, addressOf, assignmentFault, ownedBy, type Slice, sliceIndexOf } from "#limpet/slice/assignment.js";
import { assignmentTable } from "#limpet/slice/assignmentTable.js";
import { decodeAssignment, encodeAssignment } from "#limpet/slice/assignmentWire.js";
import { type BatchRange, formatBatchRanges, joinAnswers, parseBatchRanges, type RangeAnswer } from "#limpet/slice/batch.js";
import { compareGenerations, formatGeneration, isNewer, parseGeneration } from "#limpet/slice/generation.js";
import { KEY_END } from "#limpet/slice/keyRange.js";
import { decodeReport, decodeReportAnswer, encodeReport, encodeReportAnswer, type Report } from "#limpet/slice/report.js";
import { type Resource, resourceId } from "#limpet/slice/resource.js";

function resource(name: string): Resource {
  const address = `http://${name}:4581`;
  return { id: resourceId(address, "i1"), address, incarnation: "i1", state: "running", load: 0.25 };
}

const A = resource("a");
const B = resource("b");
const HALF = KEY_END / 2;

function slice(low: number, high: number, owner: Resource): Slice {
  return { low, high, owner: owner.id, standby: null, movingTo: null, move: null, term: { incarnation: 1, number: 3 } };
}

const good: Assignment = {
  generation: { incarnation: 1, number: 7 },
  rules: "abc",
  slices: [slice(0, HALF, A), { ...slice(HALF, KEY_END, B), movingTo: A.id, move: { incarnation: 1, number: 7 } }],
  resources: [A, B],
};

describe("assignment", () => {
  it("fault: a good one -> none", () => {
    expect(assignmentFault(good)).toBeUndefined();
  });

  it.each<[string, Partial<Assignment>, string]>([
    ["gap", { slices: [slice(0, 5, A), slice(6, KEY_END, B)] }, "do not cover the key space at 5"],
    ["overlap", { slices: [slice(0, 5, A), slice(4, KEY_END, B)] }, "do not cover the key space at 5"],
    ["short", { slices: [slice(0, 5, A)] }, "do not cover the key space at 5"],
    ["unknown owner", { resources: [A] }, `unknown resource ${B.id}`],
    ["twice", { resources: [A, B, A] }, "listed twice"],
    ["move to the owner", { slices: [{ ...slice(0, KEY_END, A), movingTo: A.id, move: { incarnation: 1, number: 7 } }] }, "moves to its owner"],
    ["move without number", { slices: [{ ...slice(0, KEY_END, A), movingTo: B.id }] }, "target and a generation"],
    ["term of the future", { generation: { incarnation: 1, number: 2 } }, "newer than the generation"],
  ])("fault: %s -> said", (_name, change, message) => {
    expect(assignmentFault({ ...good, ...change })).toContain(message);
  });

  it("wire: encoded and decoded -> equal", () => {
    expect(decodeAssignment(encodeAssignment(good))).toEqual({ ok: true, value: good });
  });

  it.each([["not json"], ["{}"], [encodeAssignment({ ...good, resources: [A] })]])("wire: %.20s -> refused with a reason", (text) => {
    const result = decodeAssignment(text);
    expect(result.ok).toBe(false);
    if (!result.ok) expect(result.error.length).toBeGreaterThan(5);
  });

  it("lookups: key, owner, address", () => {
    expect([0, HALF - 1, HALF, KEY_END - 1].map((key) => sliceIndexOf(good.slices, key))).toEqual([0, 0, 1, 1]);
    expect(ownedBy(good, B.id)).toEqual([good.slices[1]]);
    expect(addressOf(good, A.id)).toBe("http://a:4581");
    expect(addressOf(good, "nobody")).toBeUndefined();
  });

  it("table: by slice and by owner", () => {
    expect(assignmentTable(good)).toBe(
      [
        "generation 1.7  rules abc",
        "slice               share   owner      term  moving to",
        "00000000-80000000   50.00%  a:4581@i1  1.3",
        "80000000-100000000  50.00%  b:4581@i1  1.3   a:4581@i1 (1.7)",
        "",
      ].join("\n"),
    );
    expect(assignmentTable(good, "owner")).toContain("a:4581@i1  running  1       50.00%  0.25");
  });
});

describe("generation", () => {
  it("order: incarnation before number", () => {
    expect(isNewer({ incarnation: 2, number: 0 }, { incarnation: 1, number: 99 })).toBe(true);
    expect(compareGenerations({ incarnation: 1, number: 4 }, { incarnation: 1, number: 4 })).toBe(0);
  });

  it.each(["", "1", "1.", "a.b", "1.2.3", "-1.2", "9999999999999999.1"])("parse: %p -> none", (text) => {
    expect(parseGeneration(text)).toBeUndefined();
  });

  it("parse: what was formatted -> equal", () => {
    expect(parseGeneration(formatGeneration({ incarnation: 3, number: 41 }))).toEqual({ incarnation: 3, number: 41 });
  });
});

describe("batch headers", () => {
  const range = fc.record({ prev: fc.nat(), kept: fc.nat(), oldestMs: fc.option(fc.integer(), { nil: undefined }) });
  const cuts = fc.uniqueArray(fc.integer({ min: 0, max: KEY_END }), { minLength: 2, maxLength: 9 });

  it("ranges: formatted and parsed -> the same for every key", () => {
    fc.assert(
      fc.property(cuts, fc.array(range, { minLength: 8, maxLength: 8 }), (at, values) => {
        const bounds = at.toSorted((a, b) => a - b);
        const ranges = bounds.slice(1).map((high, i): BatchRange => {
          return { low: bounds[i] ?? 0, high, ...(values[i] ?? { prev: 0, kept: 0, oldestMs: undefined }) };
        });
        const parsed = parseBatchRanges(formatBatchRanges(ranges));
        if (typeof parsed === "string") throw new Error(parsed);
        for (const { low, high, ...value } of ranges) {
          const found = parsed.find((entry) => entry.low <= low && entry.high >= high);
          expect(found).toMatchObject(value);
        }
      }),
    );
  });

  it.each(["", "1-2", "5-4@1/1/none", "0-5@1/1/none,3-9@1/1/none", "0-4294967297@1/1/none", "0-1@x/1/none", "0-1@1/1/soon"])(
    "ranges: %p -> refused",
    (text) => {
      expect(typeof parseBatchRanges(text)).toBe("string");
    },
  );

  it("answers: adjacent equal ones -> joined", () => {
    const answer: RangeAnswer = { low: 0, high: 5, answer: "applied", applied: 3, durable: 3, owner: null };
    expect(joinAnswers([answer, { ...answer, low: 5, high: 9 }, { ...answer, low: 9, high: 12, applied: 2 }])).toEqual([
      { ...answer, high: 9 },
      { ...answer, low: 9, high: 12, applied: 2 },
    ]);
  });
});

describe("report", () => {
  const term = { incarnation: 1, number: 3 };
  const report: Report = {
    cluster: "c",
    id: A.id,
    address: A.address,
    incarnation: A.incarnation,
    state: "draining",
    generation: { incarnation: 1, number: 7 },
    load: 0.5,
    serves: [{ low: 0, high: HALF, term, rate: 100, bytes: 4096, top: [[17, 0.25]] }],
    moved: [{ low: HALF, high: KEY_END, number: term }],
    aborted: [],
    offers: [],
  };

  it("wire: encoded and decoded -> equal", () => {
    expect(decodeReport(encodeReport(report))).toEqual({ ok: true, value: report });
    const answer = { generation: term, wantsAssignment: true };
    expect(decodeReportAnswer(encodeReportAnswer(answer))).toEqual({ ok: true, value: answer });
  });

  it.each([["{"], ["[]"], [encodeReport({ ...report, moved: [{ low: 5, high: 5, number: term }] })], [encodeReport({ ...report, load: -1 })]])(
    "wire: %.30s -> refused with a reason",
    (text) => {
      expect(decodeReport(text).ok).toBe(false);
    },
  );
});
