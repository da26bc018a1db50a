// A series selector as Prometheus and vmagent write it: what a Rule's `match:` holds. selectorParse.ts reads the text.
import { labelOf, type Series } from "./series.js";

export interface Matcher {
  /** Label name; `__name__` is the metric name. */
  readonly label: string;
  readonly op: "=" | "!=" | "=~" | "!~";
  readonly value: string;
  /** Whether a series whose label has this value ("" when absent) passes; includes the negation of `!=` and `!~`. */
  readonly accepts: (value: string) => boolean;
  /** The only values that pass, for `=` and for `=~` of plain alternatives; else undefined. */
  readonly literals: readonly string[] | undefined;
  /** Every value that passes begins with it; "" when nothing is known. */
  readonly prefix: string;
  /** Every value that passes contains one of these, none of them empty; undefined when nothing is known. */
  readonly needs: readonly string[] | undefined;
}

/** Alternatives (`or`), each a conjunction of matchers; an empty conjunction takes every series. */
export interface Selector {
  readonly text: string;
  readonly alternatives: readonly (readonly Matcher[])[];
}

export function matchesAll(matchers: readonly Matcher[], series: Series): boolean {
  for (const matcher of matchers) if (!matcher.accepts(labelOf(series, matcher.label))) return false;
  return true;
}

/** True when any alternative holds. An absent label counts as "". */
export function matchesSelector(selector: Selector, series: Series): boolean {
  for (const matchers of selector.alternatives) if (matchesAll(matchers, series)) return true;
  return false;
}

/** The selectors of one rule as one text that does not depend on spelling, order or repetition; "" takes everything. */
export function canonicalMatch(selectors: readonly Selector[]): string {
  const alternatives = new Set<string>();
  for (const selector of selectors) {
    for (const matchers of selector.alternatives) {
      const parts = new Set(matchers.map((m) => `${JSON.stringify(m.label)}${m.op}${JSON.stringify(m.value)}`));
      alternatives.add([...parts].sort().join(","));
    }
  }
  return alternatives.has("") ? "" : [...alternatives].sort().join(" or ");
}
