// The rule sets of the comparison (R1 and R7 of the first measurements), written for each side. The two texts differ only in the
// keys that make both finish what they hold when told to stop: vmagent throws an unfinished interval away unless asked not to;
// Limpet always hands it over, but must be told how old a sample may be.

export type RuleSet = "R1" | "R7";
export type Side = "limpet" | "vmagent";

/** R1: every sample, grouped, four outputs. R7: R1, and quantiles of the latencies, and the increase of the counters. */
const RULES: Readonly<Record<RuleSet, readonly { match?: string; outputs: string }[]>> = {
  R1: [{ outputs: "[sum_samples, count_samples, max, avg]" }],
  R7: [
    { outputs: "[sum_samples, count_samples, max, avg]" },
    { match: `'{__name__=~".+_duration_ms"}'`, outputs: `["quantiles(0.5, 0.99)"]` },
    { match: `'{__name__=~".+_(count|total|errors)"}'`, outputs: "[increase]" },
  ],
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
