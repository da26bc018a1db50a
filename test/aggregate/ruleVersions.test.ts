// What several versions of the rules come to: text in, text out. A rule is shown as `name [from..until) outputs`.
import { describe, expect, it } from "@jest/globals";
import type { Validity } from "#limpet/aggregate/rule.js";
import { parseRuleVersion, rulesInForce, type Versions } from "#limpet/aggregate/ruleVersions.js";
import { loadOutputs } from "#limpet/bin/loadOutputs.js";
import { ruleHash } from "#limpet/slice/ruleVersion.js";

const outputs = await loadOutputs();
const HOLD_MS = 60_000;

/** `oldest first`: T and the rules' lines, each without its braces. */
function versions(...texts: readonly (readonly [activeFromMs: number, ...rules: string[]])[]): Versions {
  const parsed = texts.map(([activeFromMs, ...rules]) => {
    const files = [
      { path: "rules.yaml", text: rules.map((rule) => `- { ${rule.includes("interval") ? "" : "interval: 10s, "}${rule} }\n`).join("") },
    ];
    const read = parseRuleVersion({ hash: ruleHash({ activeFromMs, files }), activeFromMs, files }, { outputs, naming: "telegraf" });
    if (typeof read === "string") throw new Error(read);
    return read;
  });
  const [newest, ...older] = parsed.reverse();
  if (newest === undefined) throw new Error("none");
  return [newest, ...older];
}

function bounds(validity: Validity | undefined): string {
  if (validity === undefined) return "";
  const text = (ms: number): string => (Number.isFinite(ms) ? String(ms) : "");
  return `[${text(validity.fromMs)}..${text(validity.untilMs)})`;
}

function shown(of: Versions, nowMs: number): string[] {
  return rulesInForce(of, nowMs, HOLD_MS).rules.map((rule) => {
    const own = rule.outputs.map(({ name, args, validity }) => `${name}${args.length === 0 ? "" : `(${args.join()})`}${bounds(validity)}`);
    return `${rule.name} ${bounds(rule.validity)} ${own.join(" ")}`;
  });
}

const a = "name: a, match: a, outputs: [max]";
const b = "name: b, match: b, outputs: [max]";
const c = "name: c, match: c, outputs: [max]";

describe("rules in force", () => {
  it("one version -> without bounds, whenever it holds from", () => {
    expect(shown(versions([5000, a]), 0)).toEqual(["a [..) max"]);
  });

  it("a rule in three versions, one in two, one in the last -> one run each; older runs first", () => {
    const of = versions([0, a, c], [20_000, b, a], [40_000, c, b, a]);
    expect(shown(of, 0)).toEqual(["a [..) max", "c [..20000) max", "b [20000..) max", "c [40000..) max"]);
  });

  it("a newer version that begins before an older one -> the older one has no time at all", () => {
    expect(shown(versions([0, a], [50_000, b], [40_000, c]), 0)).toEqual(["a [..40000) max", "c [40000..) max"]);
    expect(shown(versions([0, a], [50_000, b], [40_000, a]), 0)).toEqual(["a [..) max"]);
  });

  it("outputs of a rule change -> the newest ones in their order, those that end behind them", () => {
    const first = a.replace("[max]", '[sum_samples, "quantiles(0.5)"]');
    const second = a.replace("[max]", '[min, "quantiles(0.5, 0.9)", sum_samples]');
    expect(shown(versions([0, first], [20_000, second]), 0)).toEqual([
      "a [..) min[20000..) quantiles(0.5,0.9)[20000..) sum_samples quantiles(0.5)[..20000)",
    ]);
  });

  it("off, or off no longer -> as if it were not there", () => {
    expect(shown(versions([0, a], [20_000, `${a}, state: off`], [40_000, a]), 0)).toEqual(["a [..20000) max", "a [40000..) max"]);
  });

  it("grace, name and caps of a rule that both have -> the newest ones, at once", () => {
    const [rule] = rulesInForce(versions([0, a], [20_000, a.replace("name: a", "name: z, grace: 3s, max_series: 5")]), 0, HOLD_MS).rules;
    expect(rule).toMatchObject({ name: "z", graceMs: 3000, maxSeries: 5, validity: { fromMs: Number.NEGATIVE_INFINITY } });
  });

  it("an hour's windows and seconds' end together -> each goes with its own last window, the version with the last of them", () => {
    const hour = "name: hour, match: h, outputs: [max]";
    const of = versions([0, a, `interval: 1h, ${hour}, grace: 1h`], [15_000, b]);
    const names = (nowMs: number): string[] => rulesInForce(of, nowMs, HOLD_MS).rules.map(({ name }) => name);
    expect(names(89_999)).toEqual(["a", "hour", "b"]);
    expect(names(90_000)).toEqual(["hour", "b"]);
    expect(names(7_259_999)).toEqual(["hour", "b"]);
    expect([names(7_260_000), rulesInForce(of, 7_260_000, HOLD_MS).versions.length]).toEqual([["b"], 1]);
  });

  it("a rule that writes series of one that ends, with a shorter grace -> the longer one while both are there; others keep theirs", () => {
    const of = versions(
      [0, `${a}, grace: 30s`, b],
      [20_000, a.replace("match: a", "match: 'a{x=\"1\"}'"), b, c.replace("outputs", "by: [x], outputs")],
    );
    const graces = (nowMs: number): string[] => rulesInForce(of, nowMs, HOLD_MS).rules.map(({ name, graceMs }) => `${name} ${String(graceMs)}`);
    expect(graces(0)).toEqual(["a 30000", "b 10000", "a 30000", "c 10000"]);
    expect(graces(110_000)).toEqual(["a 10000", "b 10000", "c 10000"]);
  });
});
