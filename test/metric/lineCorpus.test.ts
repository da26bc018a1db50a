// Plan: InfluxData's conformance corpus, decode side. A case must end as the corpus says (one bad line = the case is an error there),
// or belong to a class named here, decided from its input alone, where Telegraf accepts what the reference refuses:
//   control byte | bad UTF-8 | separator (TAB, VT, FF outside a string) | duplicate tag
// In a class the result may also be Telegraf's. A case the corpus accepts must come out with the corpus's values, classes or not.

import { isUtf8 } from "node:buffer";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import { decodeLine, type Point } from "#limpet/metric/lineDecoder.js";
import { bytesText, pointText, splitDifferences } from "./lineText.js";

type Text = string | { binary: string };
type CorpusValue = { float: number | string } | { int: string } | { uint: string } | { bool: boolean } | { string: Text };
interface CorpusPoint {
  name: Text;
  tags?: { key: Text; value: Text }[];
  fields: { key: Text; value: CorpusValue }[];
  time: string;
}
interface DecodeCase {
  input: { key: string; text: Text; defaultTime: string };
  output: { result?: CorpusPoint[]; error?: string };
}

// The fixture's own shape (its README).
const corpus = JSON.parse(readFileSync(new URL("../fixtures/line-protocol-corpus/corpus.json", import.meta.url), "utf8")) as {
  decode: Record<string, DecodeCase>;
};
const cases = Object.values(corpus.decode);

const bytesOf = (text: Text): Buffer => (typeof text === "string" ? Buffer.from(text) : Buffer.from(text.binary, "base64"));

function decodeAll(bytes: Uint8Array): { points: Point[]; errors: number } {
  const points: Point[] = [];
  let errors = 0;
  for (let at = 0; at < bytes.length; ) {
    const result = decodeLine(bytes, at, bytes.length, true);
    if (result.kind === "incomplete" || result.next <= at) throw new Error(`no progress at ${String(at)}`);
    if (result.kind === "point") points.push(result.point);
    if (result.kind === "error") errors++;
    at = result.next;
  }
  return { points, errors };
}

function corpusValue(value: CorpusValue): string {
  if ("float" in value) return String(Number(value.float));
  if ("int" in value) return `${value.int}i`;
  if ("uint" in value) return `${value.uint}u`;
  if ("bool" in value) return String(value.bool);
  return `"${bytesText(bytesOf(value.string))}"`;
}

function corpusPoint(point: CorpusPoint): string {
  const tags = (point.tags ?? []).map(({ key, value }) => `${bytesText(bytesOf(key))}=${bytesText(bytesOf(value))}`).join(", ");
  const fields = point.fields.map(({ key, value }) => `${bytesText(bytesOf(key))}=${corpusValue(value)}`).join(", ");
  return `${bytesText(bytesOf(point.name))}${tags === "" ? "" : `{${tags}}`} ${fields} @${point.time}`;
}

/** The class of an input, from its bytes. "none": the reference decides. */
function classOf(bytes: Uint8Array, points: readonly Point[]): string {
  if (!isUtf8(bytes)) return "bad UTF-8";
  if (bytes.some((byte) => byte === 9 || byte === 11 || byte === 12)) return "separator";
  if (bytes.some((byte) => (byte < 32 && byte !== 10 && byte !== 13) || byte === 127)) return "control byte";
  const repeats = points.some((point) => {
    const raw = Buffer.from(bytes.subarray(point.keyStart, point.keyEnd)).toString("latin1");
    return raw.replace(/\\./g, "").split(",").length - 1 > point.tags.length;
  });
  return repeats ? "duplicate tag" : "none";
}

describe("corpus, decode", () => {
  test("corpus: what the reference accepts -> its values", () => {
    const accepted = cases.filter(({ output }) => output.result !== undefined);
    expect(accepted).toHaveLength(103);
    for (const { input, output } of accepted) {
      const { points, errors } = decodeAll(bytesOf(input.text));
      // The fixture's JSON does not carry the sign of zero.
      const ours = points.map((point) => pointText({ ...point, time: point.time ?? BigInt(input.defaultTime) }).replace("=-0 ", "=0 "));
      expect({ key: input.key, errors, ours }).toEqual({ key: input.key, errors: 0, ours: output.result?.map(corpusPoint) });
    }
  });

  test("corpus: what the reference refuses -> refused, or in a named class", () => {
    const accepted: Record<string, number> = {};
    for (const { input, output } of cases) {
      if (output.error === undefined) continue;
      const bytes = bytesOf(input.text);
      const { points, errors } = decodeAll(bytes);
      if (errors > 0) continue;
      const name = classOf(bytes, points);
      if (name === "none") throw new Error(`${input.key}: ${JSON.stringify(bytes.toString("latin1"))} accepted; the corpus: ${output.error}`);
      accepted[name] = (accepted[name] ?? 0) + 1;
    }
    // Telegraf 1.30's own stream parser was run over the corpus and agrees, but for the 31 inputs on which it never returns.
    expect(accepted).toEqual({ "bad UTF-8": 94, "control byte": 4, "duplicate tag": 2, separator: 152 });
  });

  test("corpus: every input, cut at every byte -> the same results", () => {
    const differing = cases.flatMap(({ input }) =>
      splitDifferences(bytesOf(input.text))
        .slice(0, 1)
        .map((text) => `${input.key} ${text}`),
    );
    expect(differing).toEqual([]);
  });
});
