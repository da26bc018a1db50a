// Plan: each format's own corner cases as text, JSON read back, and the order of rows against UTF-8 bytes.
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Row } from "#limpet/metric/rowBlock.js";
import { compareRows, formatRow } from "#limpet/metric/rowText.js";

const row = (value: number, labels: Record<string, string> = { b: "2", a: "1" }, timestamp = 1_700_000_000_000): Row => ({
  name: "m:x",
  labels,
  timestamp,
  value,
});

test.each<[string, Row, string, string, string]>([
  [
    "number",
    row(0.1),
    '{"name":"m:x","labels":{"a":"1","b":"2"},"timestamp":1700000000000,"value":0.1}',
    'm:x{a="1",b="2"} 0.1 1700000000000',
    "m:x,a=1,b=2 value=0.1 1700000000000000000",
  ],
  [
    "no labels, time 0",
    row(1e21, {}, 0),
    '{"name":"m:x","labels":{},"timestamp":0,"value":1e+21}',
    "m:x 1e+21 0",
    "m:x value=1000000000000000000000 0",
  ],
  ["NaN", row(Number.NaN, {}), '{"name":"m:x","labels":{},"timestamp":1700000000000,"value":"NaN"}', "m:x NaN 1700000000000", ""],
  ["+Inf", row(Infinity, {}), '{"name":"m:x","labels":{},"timestamp":1700000000000,"value":"+Inf"}', "m:x +Inf 1700000000000", ""],
  ["-Inf", row(-Infinity, {}), '{"name":"m:x","labels":{},"timestamp":1700000000000,"value":"-Inf"}', "m:x -Inf 1700000000000", ""],
  ["-0", row(-0, {}), '{"name":"m:x","labels":{},"timestamp":1700000000000,"value":-0}', "m:x -0 1700000000000", "m:x value=-0 1700000000000000000"],
  [
    "escapes",
    row(1, { p: 'a\\b"c\nd, =e\\' }),
    '{"name":"m:x","labels":{"p":"a\\\\b\\"c\\nd, =e\\\\"},"timestamp":1700000000000,"value":1}',
    'm:x{p="a\\\\b\\"c\\nd, =e\\\\"} 1 1700000000000',
    'm:x,p=a\\b"c\\nd\\,\\ \\=e value=1 1700000000000000000',
  ],
])("row text: %s -> json, prom, lp", (_name, one, ...texts) => {
  expect([formatRow(one, "json"), formatRow(one, "prom"), formatRow(one, "lp")]).toEqual(texts);
});

test("row text: any finite value and labels -> JSON reads back the same bits", () => {
  fc.assert(
    fc.property(
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.dictionary(fc.string({ unit: "binary" }), fc.string({ unit: "binary" })),
      (value, labels) => {
        const back = JSON.parse(formatRow(row(value, labels), "json")) as Row;
        expect(Object.is(back.value, value)).toBe(true);
        expect(Object.entries(back.labels).sort()).toEqual(Object.entries(labels).sort());
      },
    ),
  );
});

test("row order: time, then name, then labels as k=v, by UTF-8 bytes and not by UTF-16 units", () => {
  const rows: Row[] = [
    { name: "b", labels: {}, timestamp: 1, value: 0 },
    { name: "c", labels: { a: "1" }, timestamp: 1, value: 0 },
    { name: "c", labels: { a: "1", b: "0" }, timestamp: 1, value: 0 },
    { name: "c", labels: { "a-": "0" }, timestamp: 1, value: 0 },
    { name: "c", labels: { z: "\uffee" }, timestamp: 1, value: 0 },
    { name: "c", labels: { z: "\u{1f600}" }, timestamp: 1, value: 0 },
    { name: "a", labels: {}, timestamp: 2, value: 0 },
  ];
  // "a-" sorts before "a=": the pair is compared, not the name.
  const expected = [0, 3, 1, 2, 4, 5, 6].map((i) => rows[i]);
  expect([...rows].reverse().sort(compareRows)).toEqual(expected);
});
