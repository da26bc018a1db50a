// vmagent's own answers, recorded: relabelling steps over one series, or that it refuses to load them.
import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { readRules } from "#limpet/aggregate/ruleFile.js";
import { loadOutputs } from "#limpet/bin/loadOutputs.js";
import { relabel } from "#limpet/metric/relabel.js";
import { parseSelector } from "#limpet/metric/selectorParse.js";
import type { Series } from "#limpet/metric/series.js";

interface Recorded {
  readonly steps: string;
  readonly metric: string;
  readonly result?: string;
  readonly refused?: true;
}

const path = new URL("../fixtures/relabel-vmagent.json", import.meta.url);
// The fixture is ours; a wrong shape fails below.
const fixture = JSON.parse(readFileSync(path, "utf8")) as { about: string; cases: Recorded[] };
const outputs = await loadOutputs();

function unmarked(html: string): string {
  const plain = html
    .replace(/<[^>]*>/g, "")
    .replaceAll("&quot;", '"')
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">");
  return plain.replaceAll("\\u003c", "<").replaceAll("&#39;", "'").replaceAll("&amp;", "&");
}

async function ask({ steps, metric }: Recorded, base: string): Promise<Recorded> {
  const url = new URL("/metric-relabel-debug", base);
  for (const [key, value] of Object.entries({ format: "json", relabel_configs: steps, metric })) url.searchParams.set(key, value);
  const answer = (await (await fetch(url)).json()) as { status: string; resultingLabels?: string }; // vmagent's own format
  if (answer.status !== "success") return { steps, metric, refused: true };
  return { steps, metric, result: unmarked(answer.resultingLabels ?? "") };
}

const server = process.env["VMAGENT_URL"];
if (process.env["UPDATE"] === "1" && server !== undefined) {
  const cases = [];
  for (const recorded of fixture.cases) cases.push(await ask(recorded, server));
  writeFileSync(path, `${JSON.stringify({ about: fixture.about, cases }, undefined, 1)}\n`);
}

function seriesOf(metric: string): Series {
  const parsed = parseSelector(metric);
  if (!parsed.ok) throw new Error(parsed.error.message);
  const labels = (parsed.selector.alternatives[0] ?? []).filter(({ value }) => value !== "").map(({ label, value }) => [label, value] as const);
  return { name: labels[0]?.[1] ?? "", labels: labels.slice(1) };
}

function shown(series: Series | undefined): string {
  const labels = (series?.labels ?? []).filter(([label]) => !label.startsWith("__"));
  const inside = labels.map(([label, value]) => `${label}="${value}"`).join(", ");
  if (series !== undefined && series.name !== "" && inside === "") return series.name;
  return `${series?.name ?? ""}{${inside}}`;
}

function loaded(steps: string): ReturnType<typeof readRules> {
  const text = `- match: x\n  interval: 1m\n  outputs: [max]\n  input_relabel_configs:\n${steps.replaceAll(/^/gm, "    ")}\n`;
  return readRules([{ name: "r", text }], { outputs, env: {}, naming: "vmagent" });
}

/** Meant to differ: refused here, or (the last) several labels of one name, which vmagent keeps. */
const differs = [/graphite/, /modulus: 4\.5/, /labelmap_all, replacement: 'c'/];

test.each(fixture.cases.filter(({ steps }) => !differs.some((pattern) => pattern.test(steps))))(
  "relabel: $steps over $metric -> as vmagent",
  ({ steps, metric, result, refused }) => {
    const { rules, problems } = loaded(steps);
    const errors = problems.filter((problem) => problem.severity === "error").map((problem) => problem.message);
    if (refused === true) {
      expect(errors).not.toEqual([]);
      return;
    }
    expect(errors).toEqual([]);
    expect(shown(relabel(rules[0]?.inputRelabel ?? [], seriesOf(metric)))).toBe(result);
  },
);

test("relabel: the recording -> over 300 answers, every action among them", () => {
  expect(fixture.cases.length).toBeGreaterThan(300);
});

test("relabel: several labels get one name -> the first stays, unlike vmagent", () => {
  const { rules } = loaded("- {action: labelmap_all, regex: '^[ab]$', replacement: c}");
  expect(shown(relabel(rules[0]?.inputRelabel ?? [], seriesOf('m{a="1",b="2"}')))).toBe('m{c="1"}');
});

test.each(["graphite, match: 'a.*', labels: {b: c}", "hashmod, source_labels: [a], target_label: b, modulus: 4.5"])(
  "relabel: %s -> refused, unlike vmagent",
  (step) => {
    expect(loaded(`- {action: ${step}}`).problems.some((problem) => problem.severity === "error")).toBe(true);
  },
);
