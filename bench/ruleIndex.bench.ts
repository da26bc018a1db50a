// ruleIndex: ns per new series of asking which of 1000 and 5000 rules take it. A quarter of the rules names its metric, a quarter a prefix, and
// half have an expression alone (a suffix, alternatives in front, a class). Every series has a pod of its own; their names are either a
// few hundred, as fleets have them, or all different, which no rule set meets for long.

import { readRules } from "#limpet/aggregate/ruleFile.js";
import { buildRuleIndex, matchingRules, type RuleIndex } from "#limpet/aggregate/ruleIndex.js";
import { loadOutputs } from "#limpet/bin/loadOutputs.js";
import type { Series } from "#limpet/metric/series.js";
import type { Bench } from "./bench.js";
import { keptBySize } from "./frozenRows.js";

const SHAPES = ["N_requests_total", "N_.*", ".*_N_total", "(?:http|grpc)_N_.+", "[a-z]+_N_(?:sum|count)", ".*_N_(?:errors|retries)_.*"];
const ORDER = [0, 0, 0, 1, 1, 1, 2, 3, 4, 5, 2, 3];
const NAMES = ["N_requests_total", "N_errors", "jobs_N_total", "grpc_N_calls", "disk_N_count", "db_N_retries_all"];
const outputs = await loadOutputs();

function ruleText(i: number): string {
  const shape = (SHAPES[ORDER[i % ORDER.length] ?? 0] ?? "").replaceAll("N", `service${String(i)}`);
  return `- { match: '{__name__=~"${shape}",env!="dev"}', interval: 1m, by: [region], outputs: [total], output_name: "r${String(i)}_{metric}" }`;
}

const indexOf = keptBySize((count): RuleIndex => {
  const text = Array.from({ length: count }, (_, i) => ruleText(i)).join("\n");
  const { rules, problems } = readRules([{ name: "bench.yaml", text }], { outputs, env: {}, naming: "telegraf" });
  if (rules.length !== count) throw new Error(`${String(rules.length)} rules of ${String(count)}: ${problems[0]?.message ?? ""}`);
  return buildRuleIndex(rules);
});

/** Distinguishes the pods and, if so wanted, the names of all runs. */
let seriesMade = 0;

function seriesOf(rules: number, allNew: boolean): Series {
  const i = seriesMade++;
  const place = i % ORDER.length;
  const service = allNew ? (i * 7919) % rules : (i % 24) * ORDER.length + place;
  const name = (NAMES[ORDER[place] ?? 0] ?? "").replace("N", `service${String(service % rules)}`);
  return {
    name: allNew ? `${name}_${String(i)}` : name,
    labels: [
      ["env", i % 3 === 0 ? "prod" : "stage"],
      ["pod", `web-${i.toString(36)}`],
      ["region", `r${String(i % 5)}`],
    ],
  };
}

function newSeries(rules: number, allNew: boolean): Bench {
  return {
    name: `ruleIndex: new series, ${String(rules)} rules, ${allNew ? "every name new" : "288 names"}`,
    run(scale) {
      const size = Math.ceil(rules * Math.min(1, scale * 10));
      const index = indexOf(size);
      const count = Math.ceil(20_000 * scale);
      let matched = 0;
      for (let i = 0; i < count; i++) matched += matchingRules(index, seriesOf(size, allNew)).length;
      if (!allNew && size >= 288 && matched < count / 2) throw new Error(`${String(matched)} matches of ${String(count)} series`);
      return { ops: count, unit: "series" };
    },
  };
}

export const thousand = newSeries(1000, false);
export const fiveThousand = newSeries(5000, false);
export const thousandNew = newSeries(1000, true);
export const fiveThousandNew = newSeries(5000, true);
