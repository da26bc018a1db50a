// Which rules match a Series, for thousands of rules. Asked once per new Series, never per sample.
//
//   every alternative of every rule -> one key, its rarest:
//     value   label = one of a few literals   (=, =~ of plain alternatives)   label -> value  -> entries
//     prefix  label begins with a literal     (=~ "foo.*")                    label -> length -> prefix -> entries
//     piece   label contains one of a few     (=~ ".*_(?:foo|bar)")           label -> three characters of the piece -> entries
//     present label is not empty              (anything that refuses "")      label -> entries
//     rest    no such matcher: tried on every Series
//
// Looking up collects the entries of the Series' own name and labels, whose key holds, then asks their other matchers, so the keys decide
// only speed. What a value of a label leads to is remembered, for series are new far more often than their names and most of their
// labels. Rules with `state: off` are not in it. bench: ruleIndex.
import { type Matcher, matchesAll } from "../metric/selector.js";
import type { Series } from "../metric/series.js";
import type { Rule } from "./rule.js";

interface Entry {
  readonly rule: number;
  /** The matcher it is looked up by, and those that are asked then. */
  readonly key: Matcher | undefined;
  readonly others: readonly Matcher[];
}

interface LabelIndex {
  readonly byValue: Map<string, Entry[]>;
  /** Prefix length -> prefix -> entries. Invariant: lengths are at most prefixLengthMax. */
  readonly byPrefix: Map<number, Map<string, Entry[]>>;
  /** By gramLength characters of a piece. */
  readonly byGram: Map<string, Entry[]>;
  readonly present: Entry[];
  /** Value -> entries whose key accepts it. Bounded: emptied when it holds answersMax entries and values. */
  readonly answers: Map<string, readonly Entry[]>;
  answersSize: number;
}

export interface RuleIndex {
  readonly labels: ReadonlyMap<string, LabelIndex>;
  readonly rest: readonly Entry[];
}

/** Longer prefixes are cut: their lengths bound the look-ups per label. */
const prefixLengthMax = 32;
/** A wider alternation would copy its rule into too many buckets. */
const literalsMax = 1000;
const gramLength = 3;
const answersMax = 50_000;
const answerLengthMax = 256;

function valuesOf(matcher: Matcher): readonly string[] | undefined {
  const literals = matcher.literals;
  return literals === undefined || literals.length === 0 || literals.length > literalsMax || literals.includes("") ? undefined : literals;
}

/** How many matchers could go to each bucket. Written `label NUL kind NUL text`. */
type Counts = Map<string, number>;

function gramsOf(text: string): string[] {
  const grams: string[] = [];
  for (let i = 0; i + gramLength <= text.length; i++) grams.push(text.slice(i, i + gramLength));
  return grams;
}

/** Pieces to look for, each long enough to have a gram. */
function piecesOf(matcher: Matcher): readonly string[] | undefined {
  return matcher.needs?.every((piece) => piece.length >= gramLength) === true ? matcher.needs : undefined;
}

/** Each piece's rarest gram. */
function keyGrams(label: string, pieces: readonly string[], counts: Counts): readonly string[] {
  const rarest = pieces.map((piece) => {
    const grams = gramsOf(piece).map((gram) => ({ gram, count: counts.get(`${label}\0gram\0${gram}`) ?? 0 }));
    return grams.reduce((a, b) => (b.count < a.count ? b : a)).gram;
  });
  return [...new Set(rarest)];
}

/** The buckets a matcher would put its entry into; none when it says nothing to look up. */
function bucketsOf(matcher: Matcher, grams: (pieces: readonly string[]) => readonly string[]): readonly string[] {
  const values = valuesOf(matcher);
  if (values !== undefined) return values.map((value) => `${matcher.label}\0value\0${value}`);
  if (matcher.prefix !== "") return [`${matcher.label}\0prefix\0${matcher.prefix.slice(0, prefixLengthMax)}`];
  const pieces = piecesOf(matcher);
  if (pieces !== undefined) return grams(pieces).map((gram) => `${matcher.label}\0gram\0${gram}`);
  return isPresence(matcher) ? [`${matcher.label}\0present`] : [];
}

/** __name__ is never empty: the presence of one tells nothing, but an expression over names is then asked once per name. */
function isPresence(matcher: Matcher): boolean {
  return !matcher.accepts("") && (matcher.label !== "__name__" || matcher.op === "=~");
}

function countBuckets(rules: readonly Rule[]): Counts {
  const counts: Counts = new Map();
  const all = (pieces: readonly string[]): readonly string[] => [...new Set(pieces.flatMap(gramsOf))];
  for (const rule of rules) {
    for (const matcher of rule.match.flatMap((selector) => selector.alternatives.flat())) {
      for (const bucket of bucketsOf(matcher, all)) counts.set(bucket, (counts.get(bucket) ?? 0) + 1);
    }
  }
  return counts;
}

/** Less is better: entries in the fullest bucket this matcher would go to; more series find a prefix, a piece or mere presence. */
function costOf(matcher: Matcher, counts: Counts): number {
  const buckets = bucketsOf(matcher, (pieces) => keyGrams(matcher.label, pieces, counts));
  if (buckets.length === 0) return Infinity;
  let most = 0;
  for (const bucket of buckets) most = Math.max(most, counts.get(bucket) ?? 0);
  if (valuesOf(matcher) !== undefined) return most + (buckets.length - 1) / literalsMax;
  if (matcher.prefix !== "") return 2 * most;
  return piecesOf(matcher) === undefined ? 8 * most : 3 * most;
}

function listIn<K>(map: Map<K, Entry[]>, key: K): Entry[] {
  const list = map.get(key) ?? [];
  map.set(key, list);
  return list;
}

function place(index: LabelIndex, key: Matcher, entry: Entry, counts: Counts): void {
  const values = valuesOf(key);
  const pieces = piecesOf(key);
  if (values !== undefined) {
    for (const value of values) listIn(index.byValue, value).push(entry);
  } else if (key.prefix !== "") {
    const prefix = key.prefix.slice(0, prefixLengthMax);
    const sameLength = index.byPrefix.get(prefix.length) ?? new Map<string, Entry[]>();
    index.byPrefix.set(prefix.length, sameLength);
    listIn(sameLength, prefix).push(entry);
  } else if (pieces !== undefined) {
    for (const gram of keyGrams(key.label, pieces, counts)) listIn(index.byGram, gram).push(entry);
  } else {
    index.present.push(entry);
  }
}

function emptyIndex(): LabelIndex {
  return { byValue: new Map(), byPrefix: new Map(), byGram: new Map(), present: [], answers: new Map(), answersSize: 0 };
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
      let key: Matcher | undefined;
      let least = Infinity;
      for (const matcher of matchers) {
        const cost = costOf(matcher, counts);
        if (cost < least) [key, least] = [matcher, cost];
      }
      const entry: Entry = { rule: position, key, others: matchers.filter((matcher) => matcher !== key) };
      if (key === undefined) {
        rest.push(entry);
        continue;
      }
      const ofLabel = labels.get(key.label) ?? emptyIndex();
      labels.set(key.label, ofLabel);
      place(ofLabel, key, entry, counts);
    }
  }
  return { labels, rest };
}

function tryEntries(entries: readonly Entry[], series: Series, found: number[]): void {
  for (const entry of entries) if (matchesAll(entry.others, series)) found.push(entry.rule);
}

/** Entries whose key accepts the value. */
function collect(ofLabel: LabelIndex, value: string): readonly Entry[] {
  const entries = new Set<Entry>(ofLabel.byValue.get(value));
  const add = (list: readonly Entry[] | undefined): void => {
    for (const entry of list ?? []) if (entry.key?.accepts(value) === true) entries.add(entry);
  };
  for (const [length, sameLength] of ofLabel.byPrefix) if (length <= value.length) add(sameLength.get(value.slice(0, length)));
  if (ofLabel.byGram.size > 0) for (const gram of new Set(gramsOf(value))) add(ofLabel.byGram.get(gram));
  add(ofLabel.present);
  return [...entries];
}

function lookUp(ofLabel: LabelIndex | undefined, value: string, series: Series, found: number[]): void {
  if (ofLabel === undefined) return;
  const known = ofLabel.answers.get(value);
  const entries = known ?? collect(ofLabel, value);
  if (known === undefined && value.length <= answerLengthMax) remember(ofLabel, value, entries);
  tryEntries(entries, series, found);
}

function remember(ofLabel: LabelIndex, value: string, entries: readonly Entry[]): void {
  ofLabel.answersSize += 1 + entries.length;
  if (ofLabel.answersSize > answersMax) {
    ofLabel.answers.clear();
    ofLabel.answersSize = 1 + entries.length;
  }
  ofLabel.answers.set(value, entries);
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
