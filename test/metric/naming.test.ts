// Plan: DIALECT "Names of line-protocol samples" as a table; then labels: order, collisions, __name__, bytes that are not UTF-8.

import { describe, expect, test } from "@jest/globals";
import { type Naming, sanitizeForSink, sanitizeLabel, sanitizeMetric, seriesOf } from "#limpet/metric/naming.js";
import { compareUtf8 } from "#limpet/metric/utf8.js";

const latin1 = (text: string): Uint8Array => Buffer.from(text, "latin1");
const utf8 = (text: string): Uint8Array => Buffer.from(text);

function name(measurement: string, field: string, naming: Naming): string {
  const named = seriesOf(utf8(measurement), [], utf8(field), naming);
  return "ignored" in named ? `ignored ${named.ignored}` : named.series.name;
}

function labels(tags: [string, string][], naming: Naming = "telegraf", bytes: (text: string) => Uint8Array = utf8): string {
  const named = seriesOf(
    utf8("m"),
    tags.map(([key, value]) => ({ key: bytes(key), value: bytes(value) })),
    utf8("f"),
    naming,
  );
  if ("ignored" in named) return "ignored";
  const text = named.series.labels.map(([key, value]) => `${key}=${value}`).join(",");
  return `${named.series.name}{${text}} collisions ${String(named.collisions)} bad ${String(named.badUtf8)}`;
}

describe("naming: (measurement, field) -> name", () => {
  test.each([
    ["cpu", "usage_idle", "cpu_usage_idle", "cpu_usage_idle"],
    ["prometheus", "up", "up", "prometheus_up"],
    ["prometheus_remote_write", "up", "up", "prometheus_remote_write_up"],
    ["prometheus", "value", "value", "prometheus_value"],
    ["http_requests", "value", "http_requests", "http_requests_value"],
    ["http_requests", "counter", "http_requests", "http_requests_counter"],
    ["temp", "gauge", "temp", "temp_gauge"],
    ["go.gc", "p 99", "go_gc_p_99", "go.gc_p 99"],
    ["9bad", "x", "bad_x", "9bad_x"],
    ["_ok", "x_", "_ok_x_", "_ok_x_"],
    ["é", "é", "ignored name", "é_é"],
    ["a:b", "c", "a:b_c", "a:b_c"],
  ])("naming: %s %s -> %s, vmagent %s", (measurement, field, telegraf, vmagent) => {
    expect(name(measurement, field, "telegraf")).toBe(telegraf);
    expect(name(measurement, field, "vmagent")).toBe(vmagent);
  });
});

describe("naming: labels", () => {
  test("labels: names that collide once sanitised -> the first in key order, the others counted", () => {
    expect(
      labels([
        ["a-b", "1"],
        ["a.b", "2"],
        ["a_b", "3"],
      ]),
    ).toBe("m_f{a_b=1} collisions 2 bad 0");
    expect(
      labels(
        [
          ["a-b", "1"],
          ["a.b", "2"],
        ],
        "vmagent",
      ),
    ).toBe("m_f{a-b=1,a.b=2} collisions 0 bad 0");
  });
  test("labels: an empty value -> not a label, and in nobody's way", () => {
    expect(
      labels([
        ["a-b", ""],
        ["a.b", "2"],
      ]),
    ).toBe("m_f{a_b=2} collisions 0 bad 0");
  });
  test("labels: a tag __name__ -> dropped and counted, the metric keeps its name", () => {
    expect(
      labels([
        ["__name__", "evil"],
        ["a", "1"],
      ]),
    ).toBe("m_f{a=1} collisions 1 bad 0");
    expect(labels([["__name__", "evil"]], "vmagent")).toBe("m_f{} collisions 1 bad 0");
  });
  test("labels: nothing valid in the name -> dropped", () => {
    expect(
      labels([
        ["--", "1"],
        ["a", "2"],
      ]),
    ).toBe("m_f{a=2} collisions 0 bad 0");
  });
  test("labels: sanitising changes the order -> sorted again", () => {
    expect(
      labels([
        ["1z", "1"],
        ["a", "2"],
      ]),
    ).toBe("m_f{a=2,z=1} collisions 0 bad 0");
  });
  test("labels: bytes that are not UTF-8 -> U+FFFD, counted", () => {
    expect(labels([["a", "x\xff"]], "telegraf", latin1)).toBe("m_f{a=x\ufffd} collisions 0 bad 1");
    expect(labels([["a\xff", "x\xff"]], "vmagent", latin1)).toBe("m_f{a\ufffd=x\ufffd} collisions 0 bad 2");
  });
  test("labels: names beyond the BMP -> sorted by UTF-8 bytes, not UTF-16 units", () => {
    expect(
      labels(
        [
          ["\uff5e", "1"],
          ["\u{1f600}", "2"],
        ],
        "vmagent",
      ),
    ).toBe("m_f{\uff5e=1,\u{1f600}=2} collisions 0 bad 0");
    expect(["\u{1f600}", "\uff5e", "a", ""].sort(compareUtf8)).toEqual(["", "a", "\uff5e", "\u{1f600}"]);
  });
  test("labels: a byte order mark in a value -> kept", () => {
    expect(labels([["a", "\ufeffx"]])).toBe("m_f{a=\ufeffx} collisions 0 bad 0");
  });
});

describe("sanitise", () => {
  test.each([
    ["a.b", "a_b"],
    ["__x__", "__x__"],
    [".a.", "a"],
    ["99x", "9x"],
    ["", ""],
  ])("metric: %j -> %j", (from, to) => expect(sanitizeMetric(from)).toBe(to));
  test("label: a colon -> not valid there", () => {
    expect(sanitizeLabel("a:b")).toBe("a_b");
    expect(sanitizeMetric("a:b")).toBe("a:b");
  });
  test.each([
    ["cpu:10s_by_host_sum", "metric", "cpu:10s_by_host_sum"],
    ["a.b", "label", "a_b"],
    ["a:b", "label", "a_b"],
    ["9bad", "metric", "_9bad"],
    ["", "label", "_"],
    ["\u{1f600}x", "metric", "_x"],
  ] as const)("sink: %j as %s -> %j", (from, kind, to) => expect(sanitizeForSink(from, kind)).toBe(to));
});
