// Points spelled as line protocol, each time differently: order of tags, white space, line ends, comments between lines,
// and all the ways to write one number. Every text means the point exactly; fields keep their order, which decides the
// order of a line's samples. Only what InfluxData's and Telegraf's grammars both accept (research: sections 3.2 to 3.6).
import { byBytes } from "./naming.js";
import type { FieldValue, Point } from "./point.js";
import { pick, type Random, shuffled } from "./seededRandom.js";

/** Spellings that read back as the same double; the candidates differ in exponent, point and zeros. */
export function floatSpellings(value: number): string[] {
  const candidates = [
    String(value),
    value.toExponential(),
    value.toExponential().toUpperCase(),
    value.toPrecision(17),
    value.toExponential(20),
    String(value).replace(/^(-?)0\./, "$1."),
    String(value).replace(/^(-?)(\d)/, "$100$2"),
    Number.isInteger(value) && Math.abs(value) < 1e21 ? `${value}.` : "",
    String(value).includes(".") && !String(value).includes("e") ? `${value}000` : "",
  ];
  return candidates.filter((text) => /^-?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$/.test(text) && Object.is(Number(text), value));
}

/** The shortest digits without an exponent, as Telegraf writes them. */
export function plainFloat(value: number): string {
  const text = Object.is(value, -0) ? "-0" : String(value);
  const parts = /^(-?)(\d)(?:\.(\d+))?e([-+]\d+)$/.exec(text);
  if (parts === null) return text;
  const [, sign = "", first = "", rest = "", exponent = ""] = parts;
  const digits = first + rest;
  const point = 1 + Number(exponent);
  return sign + (point > 0 ? digits.padEnd(point, "0") : `0.${"0".repeat(-point)}${digits}`);
}

function fieldText(value: FieldValue, random: Random): string {
  switch (value.kind) {
    case "float":
      return pick(random, Object.is(value.value, -0) ? ["-0", "-0.0"] : floatSpellings(value.value));
    case "int":
      return `${value.value}i`;
    case "uint":
      return `${value.value}u`;
    case "bool":
      return pick(random, value.value ? ["t", "T", "true", "True", "TRUE"] : ["f", "F", "false", "False", "FALSE"]);
    case "string":
      return `"${value.value.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
  }
}

function escapeMeasurement(text: string): string {
  return text.replace(/[, ]/g, "\\$&");
}

function escapeKey(text: string): string {
  return text.replace(/[, =]/g, "\\$&");
}

/** One line with its end. */
export function lineText(point: Point, random: Random): string {
  const tags = shuffled(random, Object.entries(point.tags)).map(([key, value]) => `,${escapeKey(key)}=${escapeKey(value)}`);
  const fields = point.fields.map(([key, value]) => `${escapeKey(key)}=${fieldText(value, random)}`);
  const gap = (): string => (random() < 0.9 ? " " : "   ");
  const line = `${escapeMeasurement(point.measurement)}${tags.join("")}${gap()}${fields.join(",")}${gap()}${point.timeNs}`;
  return `${random() < 0.05 ? " " : ""}${line}${random() < 0.05 ? " " : ""}${random() < 0.1 ? "\r\n" : "\n"}`;
}

/** One line as Telegraf's serializer writes it: sorted tags, single spaces, plain numbers. What the fast path is made for. */
export function telegrafLine(point: Point): string {
  const byKey = Object.entries(point.tags).sort(([a], [b]) => byBytes(a, b));
  const tags = byKey.map(([key, value]) => `,${escapeKey(key)}=${escapeKey(value)}`);
  const fields = point.fields.map(([key, value]) => {
    const text = value.kind === "float" ? plainFloat(value.value) : fieldText(value, () => 0.5);
    return `${escapeKey(key)}=${text}`;
  });
  return `${escapeMeasurement(point.measurement)}${tags.join("")} ${fields.join(",")} ${point.timeNs}\n`;
}

/**
 * All lines: half of the texts as Telegraf writes them, the others in any spelling, with empty lines and comments strewn in.
 * Sometimes without the last line's end.
 */
export function linesText(points: readonly Point[], random: Random): string {
  const noise = (): string => (random() < 0.05 ? pick(random, ["\n", "# a comment\n", "  \n", "#m f=1 1\r\n"]) : "");
  const plain = random() < 0.5;
  const lines = points.map((point) => (plain ? telegrafLine(point) : noise() + lineText(point, random)));
  const text = lines.join("") + (plain ? "" : noise());
  return random() < 0.1 ? text.replace(/\r?\n$/, "") : text;
}

/** The text's bytes, cut anywhere, also inside characters; empty chunks included. */
export function chunksOf(text: string, random: Random): Uint8Array[] {
  const bytes = new TextEncoder().encode(text);
  const cuts = Array.from({ length: Math.floor(random() * 8) }, () => Math.floor(random() * (bytes.length + 1)));
  const edges = [0, ...cuts.sort((a, b) => a - b), bytes.length];
  return edges.slice(1).map((end, i) => bytes.slice(edges[i], end));
}
