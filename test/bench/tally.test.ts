// The check that makes a comparison of costs fair must itself be able to fail.
import { describe, expect, test } from "@jest/globals";
import { Writer } from "protobufjs/minimal.js";
import { rowsOfBody } from "../../bench/receiver.js";
import { differences, samplesOf, type Tally, takeStringFields, tallyOf } from "../../bench/tally.js";

type Row = readonly [name: string, labels: Readonly<Record<string, string>>, value: number];

/** A snappy block of one literal: valid, only not smaller. Below 64 KiB. */
function snappyOf(plain: Uint8Array): Uint8Array {
  const length = Writer.create().uint32(plain.length).finish();
  const last = plain.length - 1;
  return Buffer.concat([length, Buffer.from([61 << 2, last & 255, last >> 8]), plain]);
}

/** A remote write body, by protobufjs' writer. */
function body(rows: readonly Row[]): Uint8Array {
  const request = Writer.create();
  for (const [name, labels, value] of rows) {
    const series = request.uint32(0x0a).fork();
    for (const [key, text] of Object.entries({ __name__: name, ...labels }))
      series.uint32(0x0a).fork().uint32(0x0a).string(key).uint32(0x12).string(text).ldelim();
    series.uint32(0x12).fork().uint32(0x09).double(value).uint32(0x10).int64(1763870000000).ldelim();
    request.ldelim();
  }
  return snappyOf(request.uint32(0x1a).string("metadata is skipped").finish());
}

const group = { service: "cart", region: "eu" };
const rows: Row[] = [
  ["cpu_user:10s_by_region_service_count_samples", group, 3],
  ["cpu_user:10s_by_region_service_sum_samples", group, 1.5],
  ["cpu_user:10s_by_region_service_max", group, 1],
  ["cpu_user:10s_by_region_service_avg", group, 0.5],
  ["cpu_user:10s_by_region_service_quantiles", { ...group, quantile: "0.5" }, 0.5],
];

function changed(index: number, row: Row | undefined): Tally {
  return tallyOf([body(rows.flatMap((old, i) => (i !== index ? [old] : row === undefined ? [] : [row])))]);
}

describe("tally", () => {
  test("body: remote write bytes -> name, sorted labels and value of each row", () => {
    expect(rowsOfBody(body(rows.slice(0, 1)))).toEqual([{ name: rows[0]?.[0], labels: 'region="eu",service="cart"', value: 3 }]);
  });

  test("sides: equal totals in other windows and interval texts -> no difference", () => {
    const split = [
      ...rows,
      ["cpu_user:1s_by_region_service_count_samples", group, 2],
      ["cpu_user:1s_by_region_service_sum_samples", group, 2],
    ] as const;
    const whole = [
      ["cpu_user:10s_by_region_service_count_samples", group, 5],
      ["cpu_user:10s_by_region_service_sum_samples", group, 3.5],
      ...rows.slice(2),
    ] as const;
    const one = tallyOf([body(split.slice(0, 3)), body(split.slice(3))]);
    expect(differences(one, tallyOf([body(whole)]), 10)).toEqual([]);
    expect(samplesOf(one)).toBe(5);
  });

  test.each<[string, number, Row | undefined, RegExp]>([
    ["a count", 0, ["cpu_user:10s_by_region_service_count_samples", group, 2], /limpet counted 3, vmagent 2/],
    ["a sum", 1, ["cpu_user:10s_by_region_service_sum_samples", group, 1.500001], /limpet's sum is 1.5, vmagent's 1.500001/],
    ["a maximum", 2, ["cpu_user:10s_by_region_service_max", group, 1.0000001], /limpet's max is 1, vmagent's 1.0000001/],
    ["a quantile's group", 4, undefined, /only limpet has a row/],
    ["a label", 0, ["cpu_user:10s_by_region_service_count_samples", { ...group, region: "us" }, 3], /only vmagent has it/],
  ])("sides: %s differs -> named", (_, index, row, message) => {
    expect(differences(tallyOf([body(rows)]), changed(index, row), 10).join("\n")).toMatch(message);
  });

  test("body: a row of no rule -> error", () => {
    expect(() => tallyOf([body([["cpu_user", group, 1]])])).toThrow(/a row no rule asked for: cpu_user\{/);
  });

  test("names: vmagent's raw space -> the name Limpet writes", () => {
    const key = [...tallyOf([body([["queue depth_ok:10s_by_region_service_max", group, 1]])]).totals.keys()];
    expect(key).toEqual(['queue_depth_ok{region="eu",service="cart"}']);
  });

  test("strings: vmagent's samples of a string field -> taken out and counted", () => {
    const tally = tallyOf([body([...rows, ["queue depth_state:10s_by_region_service_count_samples", group, 7]])]);
    expect(takeStringFields(tally, "state")).toBe(7);
    expect(samplesOf(tally)).toBe(3);
  });
});
