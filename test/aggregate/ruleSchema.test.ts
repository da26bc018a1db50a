// configs/rules.schema.json is written from ruleSchema.ts by UPDATE=1, and takes every good rule file there is.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { parse } from "yaml";
import { loadOutputs } from "#limpet/bin/loadOutputs.js";
import { describedRuleKeys, keysDescribed, ruleFileSchema, schemaText } from "./ruleSchema.js";

const root = new URL("../../", import.meta.url);
const outputs = [...(await loadOutputs()).keys()];
const schemaPath = new URL("configs/rules.schema.json", root);

function yamlIn(folder: string): string[] {
  return readdirSync(new URL(folder, root))
    .filter((name) => name.endsWith(".yaml"))
    .map((name) => `${folder}${name}`);
}

const examples = yamlIn("configs/rules/");
const cases = readdirSync(new URL("plugins/aggregators/", root)).map((name) => `plugins/aggregators/${name}/testcases/rules.yaml`);

function accepts(text: string): boolean {
  // merge: `<<`, as the rule reader knows it.
  return ruleFileSchema(outputs).safeParse(parse(text, { merge: true })).success;
}

test("rule schema: every key the reader knows -> described, and no other", () => {
  expect(describedRuleKeys().sort()).toEqual([...keysDescribed.read].sort());
  expect([...keysDescribed.relabel].sort()).toEqual([...keysDescribed.relabelRead].sort());
});

test("rule schema: the file in configs -> as generated (UPDATE=1 writes it)", () => {
  if (process.env["UPDATE"] === "1") writeFileSync(schemaPath, schemaText(outputs));
  expect(readFileSync(schemaPath, "utf8")).toBe(schemaText(outputs));
});

test.each([...examples, ...cases, ...yamlIn("test/fixtures/rules/good/")])("rule schema: %s -> accepted", (path) => {
  expect(accepts(readFileSync(new URL(path, root), "utf8"))).toBe(true);
});

test.each(examples)("rule schema: %s -> names it for editors", (path) => {
  expect(readFileSync(new URL(path, root), "utf8")).toMatch(/^# yaml-language-server: \$schema=\.\.\/rules\.schema\.json\n/);
});

const good = "{match: m, interval: 1m, outputs: [max]";

test.each([
  [true, `[${good}}]`],
  [true, `[${good}, input_relabel_configs: [{regex: [a, b], action: keep, source_labels: [c]}], tagpass: {a: [b]}}]`],
  [true, `{defaults: {interval: 1m}, rules: [{match: m, outputs: ["quantiles(0.5)"]}]}`],
  [false, `[${good}, intervall: 1m}]`],
  [false, "[{match: m, outputs: [max]}]"],
  [false, "[{interval: 1m, outputs: []}]"],
  [false, "[{interval: 1m, outputs: [average]}]"],
  [false, `[${good}, state: on}]`],
  [false, `[${good}, output_relabel_configs: [{action: graphite}]}]`],
  [false, `[${good}, input_relabel_configs: [{replace: a}]}]`],
  [false, `[${good}, namepass: cpu}]`],
  [false, "{defaults: {match: m}, rules: []}"],
])("rule schema: accepted is %s for %s", (wanted, text) => {
  expect(accepts(text)).toBe(wanted);
});
