import { describe, expect, it } from "@jest/globals";
import { type BatchAnswer, batchHeaders, decodeBatchAnswer, encodeBatchAnswer, readBatchHeaders } from "#limpet/slice/batchWire.js";
import { KEY_END } from "#limpet/slice/keyRange.js";

const head = {
  router: "host-1.x7",
  seq: 12,
  ranges: [
    { low: 0, high: 10, prev: 9, kept: 10, oldestMs: 1_763_870_000_000 },
    { low: 20, high: KEY_END, prev: 0, kept: 12, oldestMs: undefined },
  ],
  statedMs: 1_763_870_000_500,
  rules: "abc",
  cluster: "limpet",
};
const generation = { incarnation: 1, number: 7 };
const headers = batchHeaders(head, generation);

describe("batch wire", () => {
  it("head: to headers and back -> equal", () => {
    expect(readBatchHeaders(headers)).toEqual({ ok: true, value: { head, generation } });
  });

  it.each([
    ["limpet-router", "x"],
    ["limpet-seq", "1e3"],
    ["limpet-slices", "5-4@0/0/none"],
    ["limpet-stated", ""],
    ["limpet-generation", "1"],
  ])("head: %s is `%s` -> refused by its name", (name, value) => {
    const read = readBatchHeaders({ ...headers, [name]: value });
    expect(read.ok ? "" : read.error).toContain(name);
  });

  it("answer: to JSON and back -> equal; ranges that are none -> refused", () => {
    const answer: BatchAnswer = { generation, ranges: [{ low: 0, high: 10, answer: "gap", applied: 8, durable: 7, owner: null }] };
    expect(decodeBatchAnswer(encodeBatchAnswer(answer))).toEqual({ ok: true, value: answer });
    expect(decodeBatchAnswer(encodeBatchAnswer(answer).replace('"high":10', '"high":0')).ok).toBe(false);
    expect(decodeBatchAnswer("busy").ok).toBe(false);
  });
});
