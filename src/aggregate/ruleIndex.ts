// Which rules match a Series, for thousands of rules. Asked once per new Series, never per sample.
//
//   every alternative of every rule -> one key, its rarest:
//     value   label = one of a few literals   (=, =~ of plain alternatives)   label -> value  -> entries
//     prefix  label begins with a literal     (=~ "foo.*")                    label -> length -> prefix -> entries
//     present label is not empty              (anything that refuses "")      label -> entries
//     rest    no such matcher: tried on every Series
//
// Looking up collects the entries of the Series' own name and labels, then runs their matchers in full, so the keys decide
// only speed. Rules with `state: off` are not in it.
import { type Matcher, matchesAll } from "../metric/selector.js";
import type { Series } from "../metric/series.js";
import type { Rule } from "./rule.js";

interface Entry {
  readonly rule: number;
  readonly matchers: readonly Matcher[];
}

interface LabelIndex {
  readonly byValue: Map<string, Entry[]>;
  /** Prefix length -> prefix -> entries. Invariant: lengths are at most prefixLengthMax. */
  readonly byPrefix: Map<number, Map<string, Entry[]>>;
  readonly present: Entry[];
}

export interface RuleIndex {
  readonly labels: ReadonlyMap<string, LabelIndex>;
  readonly rest: readonly Entry[];
}

/** Longer prefixes are cut: their lengths bound the look-ups per label. */
const prefixLengthMax = 32;
/** A wider alternation would copy its rule into too many buckets. */
const literalsMax = 1000;

function valuesOf(matcher: Matcher): readonly string[] | undefined {
  const literals = matcher.literals;
  return literals === undefined || literals.length === 0 || literals.length > literalsMax || literals.includes("") ? undefined : literals;
}

/** How many matchers could go to each bucket. Written `label NUL kind NUL text`. */
type Counts = Map<string, number>;

/** The buckets a matcher would put its entry into; none when it says nothing to look up. */
function bucketsOf(matcher: Matcher): readonly string[] {
  const values = valuesOf(matcher);
  if (values !== undefined) return values.map((value) => `${matcher.label}\0value\0${value}`);
  if (matcher.prefix !== "") return [`${matcher.label}\0prefix\0${matcher.prefix.slice(0, prefixLengthMax)}`];
  // __name__ is never empty, so "present" says nothing about it.
  return matcher.label !== "__name__" && !matcher.accepts("") ? [`${matcher.label}\0present`] : [];
}

function countBuckets(rules: readonly Rule[]): Counts {
  const counts: Counts = new Map();
  for (const rule of rules) {
    for (const matcher of rule.match.flatMap((selector) => selector.alternatives.flat())) {
      for (const bucket of bucketsOf(matcher)) counts.set(bucket, (counts.get(bucket) ?? 0) + 1);
    }
  }
  return counts;
}

/** Less is better: entries in the fullest bucket this matcher would go to; more series find a prefix or mere presence. */
function costOf(matcher: Matcher, counts: Counts): number {
  const buckets = bucketsOf(matcher);
  if (buckets.length === 0) return Infinity;
  let most = 0;
  for (const bucket of buckets) most = Math.max(most, counts.get(bucket) ?? 0);
  if (valuesOf(matcher) !== undefined) return most + (buckets.length - 1) / literalsMax;
  return matcher.prefix !== "" ? 2 * most : 8 * most;
}

function listIn<K>(map: Map<K, Entry[]>, key: K): Entry[] {
  const list = map.get(key) ?? [];
  map.set(key, list);
  return list;
}

function place(index: LabelIndex, key: Matcher, entry: Entry): void {
  const values = valuesOf(key);
  if (values !== undefined) {
    for (const value of values) listIn(index.byValue, value).push(entry);
  } else if (key.prefix !== "") {
    const prefix = key.prefix.slice(0, prefixLengthMax);
    const sameLength = index.byPrefix.get(prefix.length) ?? new Map<string, Entry[]>();
    index.byPrefix.set(prefix.length, sameLength);
    listIn(sameLength, prefix).push(entry);
  } else {
    index.present.push(entry);
  }
}

/** Indices in the answer of matchingRules are positions in `rules`. */
export function buildRuleIndex(rules: readonly Rule[]): RuleIndex {
  const active = rules.filter((rule) => rule.state !== "off");
  const counts = countBuckets(active);
  const labels = new Map<string, LabelIndex>();
  const rest: Entry[] = [];
  for (const [position, rule] of rules.entries()) {
    if (rule.state === "off") continue;
    const alternatives = rule.match.length === 0 ? [[]] : rule.match.flatMap((selector) => selector.alternatives);
    for (const matchers of alternatives) {
      const entry: Entry = { rule: position, matchers };
      let key: Matcher | undefined;
      let least = Infinity;
      for (const matcher of matchers) {
        const cost = costOf(matcher, counts);
        if (cost < least) [key, least] = [matcher, cost];
      }
      if (key === undefined) {
        rest.push(entry);
        continue;
      }
      const ofLabel = labels.get(key.label) ?? { byValue: new Map(), byPrefix: new Map(), present: [] };
      labels.set(key.label, ofLabel);
      place(ofLabel, key, entry);
    }
  }
  return { labels, rest };
}

function tryEntries(entries: readonly Entry[] | undefined, series: Series, found: number[]): void {
  if (entries === undefined) return;
  for (const entry of entries) if (matchesAll(entry.matchers, series)) found.push(entry.rule);
}

function lookUp(ofLabel: LabelIndex | undefined, value: string, series: Series, found: number[]): void {
  if (ofLabel === undefined) return;
  tryEntries(ofLabel.byValue.get(value), series, found);
  for (const [length, sameLength] of ofLabel.byPrefix) {
    if (length <= value.length) tryEntries(sameLength.get(value.slice(0, length)), series, found);
  }
  tryEntries(ofLabel.present, series, found);
}

/** Positions of the rules that match, ascending, each once. Allocates: for new Series, not for samples. */
export function matchingRules(index: RuleIndex, series: Series): readonly number[] {
  const found: number[] = [];
  tryEntries(index.rest, series, found);
  lookUp(index.labels.get("__name__"), series.name, series, found);
  for (const [label, value] of series.labels) lookUp(index.labels.get(label), value, series, found);
  if (found.length < 2) return found;
  found.sort((a, b) => a - b);
  return found.filter((rule, i) => rule !== found[i - 1]);
}
