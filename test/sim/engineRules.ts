// The rules of a simulated cluster of real engines. Every other version has other ones: rules that go on, that are edited, that go and
// that come.
import { type ParsedVersion, parseRuleVersion, type Versions } from "#limpet/aggregate/ruleVersions.js";
import { loadOutputs } from "#limpet/bin/loadOutputs.js";
import { ruleHash } from "#limpet/slice/ruleVersion.js";

export const outputs = await loadOutputs();

const TEXTS = [
  `
- { name: sums, match: m_f, interval: 1s, grace: 2s, by: [s], outputs: [sum_samples, count_samples, min, max, "quantiles(0.5, 0.99)"] }
- { name: counters, match: c_n, interval: 1s, grace: 2s, by: [s], outputs: [total, increase], first_sample: zero }
- { name: hosts, match: m_g, interval: 2s, grace: 2s, by: [h], outputs: [avg, last] }
- { name: kept, match: c_n, interval: 2s, grace: 2s, without: [s], outputs: [total], first_sample: zero }`,
  `
- { name: sums, match: 'm_f{h!="h2"}', interval: 1s, grace: 2s, by: [s], outputs: [sum_samples, count_samples, "quantiles(0.5, 0.99)"] }
- { name: counters, match: c_n, interval: 1s, grace: 2s, by: [s, h], outputs: [total, increase], first_sample: zero }
- { name: added, match: m_g, interval: 1s, grace: 2s, by: [s], outputs: [avg, stddev] }
- { name: kept, match: c_n, interval: 2s, grace: 2s, without: [s], outputs: [total], first_sample: zero }`,
];

const parsed = new Map<string, ParsedVersion>();

/** The versions that begin at these times, newest first. */
export function versionsFrom(times: readonly number[]): Versions {
  const [newest, ...older] = times.map(versionOf).reverse();
  if (newest === undefined) throw new Error("no version of the rules");
  return [newest, ...older];
}

/** Parsed once: about 1 ms per rule. */
function versionOf(activeFromMs: number, i: number): ParsedVersion {
  const key = `${String(activeFromMs)} ${String(i)}`;
  const known = parsed.get(key);
  if (known !== undefined) return known;
  const files = [{ path: "rules.yaml", text: TEXTS[i % TEXTS.length] ?? "" }];
  const version = parseRuleVersion({ hash: ruleHash({ activeFromMs, files }), activeFromMs, files }, { outputs, naming: "telegraf" });
  if (typeof version === "string") throw new Error(version);
  parsed.set(key, version);
  return version;
}
