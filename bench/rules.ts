// The rule sets of the comparison (R1 and R7 of the first measurements), written for each side. The two texts differ only in the
// keys that make both finish what they hold when told to stop: vmagent throws an unfinished interval away unless asked not to;
// Limpet always hands it over, but must be told how old a sample may be.

import { SERVICE_NAMES } from "./data.js";

export const RULE_SETS = ["R1", "R7", "N10", "N1000"] as const;
export type RuleSet = (typeof RULE_SETS)[number];
export type Side = "limpet" | "vmagent";

const R1_OUTPUTS = "[sum_samples, count_samples, max, avg]";

/** As many rules as there are matches, of which every sample meets one; each has R1's outputs. */
function divided(matches: readonly string[]): readonly { match: string; outputs: string }[] {
  return matches.map((match) => ({ match: `'{${match}}'`, outputs: R1_OUTPUTS }));
}

/** The workload's 500 services, each in two halves of the regions. */
function thousand(): string[] {
  return SERVICE_NAMES.flatMap((service) => ["=~", "!~"].map((operator) => `service="${service}",region${operator}"us-.*|eu-.*"`));
}

/**
 * R1: every sample, grouped, four outputs. R7: R1, and quantiles of the latencies, and the increase of the counters. N10, N1000: R1
 * divided among so many rules.
 */
const RULES: Readonly<Record<RuleSet, readonly { match?: string; outputs: string }[]>> = {
  R1: [{ outputs: R1_OUTPUTS }],
  R7: [
    { outputs: R1_OUTPUTS },
    { match: `'{__name__=~".+_duration_ms"}'`, outputs: `["quantiles(0.5, 0.99)"]` },
    { match: `'{__name__=~".+_(count|total|errors)"}'`, outputs: "[increase]" },
  ],
  N10: divided(Array.from({ length: 10 }, (_, digit) => `service=~".*${String(digit)}"`)),
  N1000: divided(thousand()),
};

/** The rule file as YAML. `interval` and `grace` are durations as the dialect writes them. */
export function ruleFile(set: RuleSet, side: Side, interval: string, grace: string): string {
  return RULES[set]
    .map(({ match, outputs }) => {
      const lines = [`interval: ${interval}`, "by: [region, service]", `outputs: ${outputs}`];
      if (match !== undefined) lines.unshift(`match: ${match}`);
      lines.push(side === "limpet" ? `grace: ${grace}` : "flush_on_shutdown: true");
      return `- ${lines.join("\n  ")}\n`;
    })
    .join("");
}
