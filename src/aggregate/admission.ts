// Admission: the first sight of a series. Matching, grouping and naming happen here, once; what it leaves behind are targets
// that the hot loop follows without knowing of rules.
//
//   field of a Key ─▶ Series (naming) ─▶ matching rules ─▶ per rule: Group (found or made), Last for counters ─▶ target
//
// A target that may not be made (caps, one output identity wanted by two rules, memory) becomes a refusal: it counts every
// later sample as dropped for that reason until a sweep lets the Key be admitted anew.
import { xxh64Halves } from "../base/xxh64.js";
import { allocate, release } from "../kernel/alloc.js";
import {
  DROPPED_IDENTITY,
  DROPPED_MEMORY,
  DROPPED_SERIES_CAP,
  FIELD_NAME,
  FIELD_NAME_LENGTH,
  FIELD_PASS,
  FIELD_TARGET_COUNT,
  FIELD_TARGETS,
  FLAG_RATE,
  GROUP_IDENTITY,
  GROUP_IDENTITY_BYTES,
  GROUP_LASTS,
  GROUP_LEDGER,
  GROUP_NAMES,
  IGNORED_NAME,
  IGNORED_UNMATCHED,
  KEY_BYTES,
  KEY_FIELD_COUNT,
  KEY_FIELDS,
  KEY_LENGTH,
  LAST_GROUP,
  LAST_HASH_HIGH,
  LAST_HASH_LOW,
  LAST_NEXT,
  LAST_TIME,
  LAST_WINDOW,
  LEDGER_GROUP_COUNT,
  LEDGER_RULE,
  PASS_ROUTE,
  ROOT_GROUPS,
  ROOT_LASTS,
  ROOT_PASS,
  ROOT_SERIES,
  RULE_SERIES,
  SCRATCH_MAX,
  TARGET_BYTES,
  TARGET_GROUP,
  TARGET_LAST,
} from "../kernel/layout.js";
import { heap8, heapBuffer } from "../kernel/memory.js";
import { follow, nextKey } from "../kernel/reader.js";
import { countSeries, roomForFields } from "../kernel/shape.js";
import { tableAdd, tableAt, tableProbe } from "../kernel/table.js";
import { readValue } from "../kernel/value.js";
import type { Point } from "../metric/lineDecoder.js";
import type { Series } from "../metric/series.js";
import { addGroup } from "./addGroup.js";
import { addKey } from "./addKey.js";
import { areDisjoint, type CompiledRule, namesOf, type OutputNames } from "./compile.js";
import { decodeLatin1, FieldNameTable, plainNameEnd } from "./fieldNameTable.js";
import { refreshKey } from "./keyTargets.js";
import { lastBytesOf, remembersSeries } from "./lastShape.js";
import { type FieldNames, groupingOf, type LineNames, NameCache } from "./nameCache.js";
import { stemOf } from "./outputName.js";
import { isDead } from "./part.js";
import type { Parts } from "./parts.js";
import { Refusals } from "./refusals.js";
import { outputSeriesOf, relabelledRows, sliceBytesOf } from "./relabelled.js";
import { relevantTags } from "./relevantTags.js";
import { RowOwners } from "./rowOwners.js";
import type { RuleIndex } from "./ruleIndex.js";
import { Shapes } from "./shapes.js";
import { groupLabels, identityBytes, sliceBytesFrom } from "./sliceBytes.js";
import { isPassed, passAt, type Wanted, wantedBy } from "./wanted.js";

/** Labels that lost against another one after sanitising; texts that were not UTF-8. */
export interface NameLosses {
  readonly labelsLost: number;
  readonly badUtf8: number;
}

/** Field name of a Key that is a whole series: no field of a line is named so. */
const NAMED = "";

/** Where a Group stands: its rule, its names, its labels. */
export interface GroupIdentity {
  readonly stem: string;
  readonly labels: readonly (readonly [string, string])[];
}

/** Of a Group. Far above what any receiver takes, and below what a row can hold. */
const LABELS_MAX = 4096;

const NO_NAMES: LineNames = { measurement: "", labels: [], groupings: new Map(), raw: "" };

/** One field on its way to its targets. */
interface Admitted {
  readonly line: LineNames;
  readonly field: FieldNames;
  readonly series: Series;
  /** The Series as the rule groups it: `series` itself unless the rule changes it. */
  readonly input: Series;
}

export class Admission {
  readonly #root: number;
  readonly #rules: readonly CompiledRule[];
  /** By their RuleRecords. */
  readonly #byRecord: ReadonlyMap<number, CompiledRule>;
  readonly #parts: Parts;
  readonly #index: RuleIndex;
  readonly #cache: NameCache;
  readonly #fieldNames: FieldNameTable;
  readonly #names: OutputNames[] = [];
  /** Per rule: stem -> index in #names. */
  readonly #namesByStem: Map<string, number>[];
  readonly #halves = new Uint32Array(2);
  /** Only when some tags make no difference. */
  readonly #shapes: Shapes | undefined;
  /** SliceKey of the identity that group() was asked for last. */
  sliceKey = 0;
  /** Who writes which row; only when some rule relabels its outputs, else equal names and labels tell. */
  readonly #owners: RowOwners | undefined;
  /** What was refused, for people. */
  readonly refusals: Refusals;
  /** -> Ledger of the rule that wrote the output series of the last identity that was refused. */
  #rival = 0;
  /** Groups are told apart by SliceKey alone: who may write what is their owner's to say. */
  readonly #routes: boolean;
  /** Places in #names of relabelled Groups that have gone. */
  readonly #freeNames: number[] = [];
  /** The Key admitted last and the names of its line, for its fields that come next. */
  #line: { readonly key: number; readonly names: LineNames } = { key: 0, names: NO_NAMES };

  constructor(root: number, parts: Parts, index: RuleIndex, naming: "telegraf" | "vmagent") {
    const { rules } = parts;
    this.#root = root;
    this.#rules = rules;
    this.#byRecord = new Map(rules.map((compiled) => [compiled.record, compiled]));
    this.#parts = parts;
    this.refusals = new Refusals(parts);
    this.#index = index;
    this.#cache = new NameCache(naming);
    this.#fieldNames = new FieldNameTable(root);
    this.#namesByStem = rules.map(() => new Map<string, number>());
    this.#routes = (i32.load(root + ROOT_PASS) & PASS_ROUTE) !== 0;
    this.#owners = !this.#routes && rules.some(({ rule }) => rule.outputRelabel.length > 0) ? new RowOwners() : undefined;
    const relevance = relevantTags(rules.map(({ rule }) => rule));
    this.#shapes =
      relevance === undefined
        ? undefined
        : new Shapes(root, {
            relevance,
            label: (tag) => this.#cache.label(tag),
            newKey: (from, length) => addKey(root, from, length),
            remember: (target, hash) => {
              this.#remember(target, hash);
            },
          });
  }

  /** The names of a Group (GROUP_NAMES). */
  names(index: number): OutputNames {
    const names = this.#names[index];
    if (names === undefined) throw new Error(`no output names ${String(index)}`);
    return names;
  }

  /** The Key for the raw key bytes at [from, to); 0 without memory. */
  key(from: number, to: number): number {
    const length = to - from;
    const known = nextKey(this.#root, from, length);
    if (known !== 0) {
      refreshKey(this.#root, known);
      return known;
    }
    const key = addKey(this.#root, from, length);
    if (key !== 0) follow(this.#root, key);
    return key;
  }

  /**
   * Admits the key at [from, to), the one findKey() did not find, of a line of the lines up to `end`, if it is spelled plainly, as
   * Telegraf does it: ASCII, no escapes in tags, no tag twice. False: it is not, or there is no memory; then the line goes through the decoder.
   */
  plainKey(from: number, to: number, end: number): boolean {
    if (this.#shapes?.line(from, to - from, end) === true) return true;
    const line = this.#cache.plainLine(heapBuffer.toString("latin1", from, to));
    if (line === undefined) return false;
    this.#line = { key: this.key(from, to), names: line };
    return this.#line.key !== 0;
  }

  /** Admits the plainly spelled new fields of a line whose names start at `at`. False: the first one is not plain, or no memory. */
  plainFields(key: number, at: number, end: number): boolean {
    if (this.#shapes?.fields(key, at, end) === true) return true;
    if (this.#line.key !== key) {
      const names = this.#cache.plainLine(heapBuffer.toString("latin1", key + KEY_BYTES, key + KEY_BYTES + i32.load(key + KEY_LENGTH)));
      if (names === undefined) return false;
      this.#line = { key, names };
    }
    let q = at;
    let added = false;
    for (;;) {
      const nameEnd = plainNameEnd(q);
      const count = i32.load(key + KEY_FIELD_COUNT);
      // Each name is looked for among all before it: a line of very many is the decoder's, which knows that they are unique.
      if (nameEnd === 0 || count >= SCRATCH_MAX) return added;
      const name = heapBuffer.toString("latin1", q, nameEnd);
      if (this.#fieldNames.find(key, name, count, count) === 0) {
        if (!this.#addField(key, name, this.#cache.field(this.#line.names, name))) return added;
        added = true;
      }
      q = readValue(nameEnd + 1, end);
      if (q === 0 || i32.load8_u(q) !== 0x2c) return added;
      q++;
    }
  }

  /** Admits the fields of a decoded point that its Key does not have yet. Addresses of Fields move when one is added. */
  fields(key: number, point: Point): void {
    let names: LineNames | undefined;
    // Names are unique within a point: only the fields that stood here before can be the same.
    const before = i32.load(key + KEY_FIELD_COUNT);
    for (const [i, { key: name }] of point.fields.entries()) {
      const text = decodeLatin1(name);
      if (this.#fieldNames.find(key, text, Math.min(i, before), before) !== 0) continue;
      names ??= this.#cache.line(point);
      this.#line = { key, names };
      this.#addField(key, text, this.#cache.decodedField(names, name));
    }
  }

  /** Admits a series that comes with its name, whose Key has no Field, if it is like a known one. Its Field; 0: named() has to. */
  namedLike(key: number): number {
    return this.#shapes?.series(key) === true ? i32.load(key + KEY_FIELDS) : 0;
  }

  /** The one Field of the Key of a series that comes with its Prometheus name; admitted if need be. 0 without memory. */
  named(key: number, series: Series): number {
    if (i32.load(key + KEY_FIELD_COUNT) === 0) {
      const { line, field } = this.#cache.named(series);
      this.#line = { key, names: line };
      this.#addField(key, NAMED, field);
    }
    return i32.load(key + KEY_FIELD_COUNT) === 0 ? 0 : i32.load(key + KEY_FIELDS);
  }

  /**
   * The Field of a Key by its unescaped name; 0 when it was not admitted (yet, or for want of memory).
   * @param expected where it probably stands: its place in the line
   */
  field(key: number, name: Uint8Array, expected: number): number {
    return this.#fieldNames.find(key, decodeLatin1(name), expected, i32.load(key + KEY_FIELD_COUNT));
  }

  /** Whether number `i` of a decoded point passes; also of one for which there was no memory (then `key` may be 0). */
  passes(key: number, point: Point, i: number): boolean {
    const name = point.fields[i]?.key;
    if (name === undefined) return false;
    const field = key === 0 ? 0 : this.field(key, name, i);
    if (field !== 0) return i32.load(field + FIELD_PASS) !== 0;
    const line = this.#cache.line(point);
    const names = this.#cache.decodedField(line, name);
    const series = { name: names.name, labels: line.labels };
    return isPassed(this.#root, wantedBy(this.#index, this.#rules, line, { field: names, series }));
  }

  /** What names lost on their way, of series at their first sight; adds `before`. */
  nameLosses(before: NameLosses): NameLosses {
    return { labelsLost: before.labelsLost + this.#cache.labelsLost, badUtf8: before.badUtf8 + this.#cache.badUtf8 };
  }

  /** A sweep has marked Groups: no more Keys shall come to point at them. */
  groupsMarked(): void {
    this.#shapes?.outdate();
  }

  /** Forgets the address of a Key; before a sweep frees some. */
  forgetKeys(): void {
    this.#line = { key: 0, names: NO_NAMES };
  }

  /** Forgets addresses of Groups, and the names of relabelled ones; before a sweep frees those that it has marked. */
  forgetGroups(names: readonly number[]): void {
    this.#cache.clear();
    this.#shapes?.clear();
    // Not a spread: as arguments, the names of 200 000 Groups would overflow the stack.
    for (const name of names) this.#freeNames.push(name);
    this.#owners?.forgetDead();
  }

  /** Adds a Field to the Key of #line. `name`: its bytes as latin1. False without memory. */
  #addField(key: number, name: string, field: FieldNames): boolean {
    const interned = this.#fieldNames.intern(name);
    const count = i32.load(key + KEY_FIELD_COUNT);
    // Targets come last: they are counted as series, and nothing would give them back.
    const room = interned === 0 ? 0 : roomForFields(this.#root, key, 1);
    if (room === 0) return false;
    const line = this.#line.names;
    const series = { name: field.name, labels: line.labels };
    const wanted = wantedBy(this.#index, this.#rules, line, { field, series });
    const pass = passAt(this.#root, series, wanted);
    const targets = pass < 0 ? undefined : this.#targets({ line, field, series }, wanted);
    if (targets === undefined) {
      if (pass > 1) release(this.#root, pass, 4 + i32.load(pass));
      return false;
    }
    i32.store(room + FIELD_NAME, interned);
    i32.store(room + FIELD_NAME_LENGTH, i32.load(interned - 8));
    i32.store(room + FIELD_TARGETS, targets.at);
    i32.store(room + FIELD_TARGET_COUNT, targets.count);
    i32.store(room + FIELD_PASS, pass);
    i32.store(key + KEY_FIELD_COUNT, count + 1);
    if (targets.count > 0) i32.store(this.#root + ROOT_SERIES, i32.load(this.#root + ROOT_SERIES) + 1);
    this.#shapes?.learn(key, room, field.name);
    return true;
  }

  /** The Group of an identity, made if need be. 0: no Part holds its SliceKey. A negative answer is a drop reason: -1 - DROPPED_*. */
  group(compiled: CompiledRule, identity: GroupIdentity, metric: string, capped: boolean): number {
    const shared = compiled.rule.outputRelabel.length > 0 ? undefined : this.#namesOf(compiled, identity.stem, metric);
    const rows = this.#owners === undefined ? undefined : outputSeriesOf(compiled, metric, identity.labels);
    // Asked before it is known whether the Group is there: hashing takes the scratch that `bytes` below lies in.
    const taken = rows === undefined ? 0 : (this.#owners?.ownerOf(compiled, rows, (group) => this.#takesTurns(compiled, group)) ?? 0);
    // Their number may not fit a row; whose they are is told all the same, and refused there.
    const tooMany = identity.labels.length > LABELS_MAX;
    const labels = groupLabels(tooMany ? [] : identity.labels);
    const names = shared === undefined || tooMany ? undefined : this.#names[shared];
    xxh64Halves(names === undefined ? sliceBytesOf(compiled, metric, identity.labels) : sliceBytesFrom(names.sliceStem, labels), this.#halves, 0);
    this.sliceKey = this.#halves[0] ?? 0;
    const hash = this.sliceKey ^ (this.#halves[1] ?? 0);
    const ledger = this.#parts.at(this.sliceKey)?.ledgers[compiled.index];
    if (ledger === undefined) return 0;
    if (tooMany) return -1 - DROPPED_SERIES_CAP;
    const bytes = identityBytes(labels, names === undefined ? Buffer.from(identity.stem) : names.stemBytes);
    const table = this.#root + ROOT_GROUPS;
    for (let slot = tableProbe(table, hash, -1); slot >= 0; slot = tableProbe(table, hash, slot)) {
      const group = tableAt(table, slot);
      if (isDead(group)) continue;
      const at = i32.load(group + GROUP_IDENTITY);
      if (i32.load(group + GROUP_IDENTITY_BYTES) !== bytes.length || bytes.compare(heap8, at, at + bytes.length) !== 0) continue;
      if (i32.load(group + GROUP_LEDGER) === ledger.at) return group;
      // With relabelled rules about, the rows themselves tell.
      if (this.#routes || shared === undefined || rows !== undefined || !this.#shareOutput(group, shared)) continue;
      if (this.#takesTurns(compiled, group)) continue;
      this.#rival = i32.load(group + GROUP_LEDGER);
      return -1 - DROPPED_IDENTITY;
    }
    if (taken !== 0) {
      this.#rival = taken < 0 ? 0 : i32.load(taken + GROUP_LEDGER);
      return -1 - DROPPED_IDENTITY;
    }
    if (capped && this.#parts.sum(compiled, LEDGER_GROUP_COUNT) >= compiled.rule.maxGroups) return -1 - DROPPED_SERIES_CAP;
    const own = shared ?? this.#addNames({ ...namesOf(compiled, metric), relabelled: relabelledRows(compiled, metric, identity.labels) });
    const group = addGroup(this.#root, ledger.at, bytes, { names: own, hash, sliceKey: this.sliceKey });
    if (group > 0 && rows !== undefined) this.#owners?.take(rows, group);
    if (group < 0 && shared === undefined) this.#freeNames.push(own);
    return group;
  }

  /** The Last of a Series in a Group, made if need be. Negative as for group(). */
  last(compiled: CompiledRule, group: number, hash: { readonly low: number; readonly high: number }, capped: boolean): number {
    const table = this.#root + ROOT_LASTS;
    const slotHash = hash.low ^ (group >>> 3);
    for (let slot = tableProbe(table, slotHash, -1); slot >= 0; slot = tableProbe(table, slotHash, slot)) {
      const last = tableAt(table, slot);
      if (i32.load(last + LAST_GROUP) === group && i32.load(last + LAST_HASH_LOW) === hash.low && i32.load(last + LAST_HASH_HIGH) === hash.high)
        return last;
    }
    if (capped && i32.load(compiled.record + RULE_SERIES) >= compiled.rule.maxSeries) return -1 - DROPPED_SERIES_CAP;
    const bytes = lastBytesOf(compiled);
    const last = allocate(this.#root, bytes);
    if (last === 0) return -1 - DROPPED_MEMORY;
    i32.store(last + LAST_HASH_LOW, hash.low);
    i32.store(last + LAST_HASH_HIGH, hash.high);
    f64.store(last + LAST_TIME, Number.NEGATIVE_INFINITY);
    if ((compiled.flags & FLAG_RATE) !== 0) f64.store(last + LAST_WINDOW, Number.NaN);
    if (tableAdd(this.#root, table, slotHash, last) === 0) {
      release(this.#root, last, bytes);
      return -1 - DROPPED_MEMORY;
    }
    i32.store(last + LAST_GROUP, group);
    i32.store(last + LAST_NEXT, i32.load(group + GROUP_LASTS));
    i32.store(group + GROUP_LASTS, last);
    countSeries(group, 1);
    return last;
  }

  #targets(named: Omit<Admitted, "input">, wanted: Wanted): { readonly at: number; readonly count: number } | undefined {
    if (named.field.name === "") return { at: IGNORED_NAME, count: 0 };
    if (wanted.length === 0) return { at: IGNORED_UNMATCHED, count: 0 };
    const at = allocate(this.#root, wanted.length * TARGET_BYTES);
    if (at === 0) return undefined;
    let target = at;
    for (const [compiled, input] of wanted) {
      this.#target(compiled, { ...named, input }, target);
      target += TARGET_BYTES;
    }
    return { at, count: wanted.length };
  }

  #groupOf(compiled: CompiledRule, { line, field, series, input }: Admitted): number {
    const grouping = input === series ? this.#cache.grouping(line, compiled) : groupingOf(compiled, input.name, input.labels);
    const stem = input === series ? this.#cache.stem(field, compiled) : stemOf(compiled.rule, input.name);
    // Most series of a known Group are copies of a Shape; what is left here are new Groups.
    if (this.#shapes !== undefined && compiled.rule.outputRelabel.length === 0)
      return this.group(compiled, { stem, labels: grouping.labels }, input.name, true);
    const known = this.#cache.group(field, compiled, grouping);
    if (known !== undefined && !isDead(known)) return known;
    const group = this.group(compiled, { stem, labels: grouping.labels }, input.name, true);
    if (group > 0) this.#cache.addGroup(field, compiled, grouping, group);
    return group;
  }

  /** The Last for a target that is a copy of another Series' one. */
  #remember(target: number, hash: { readonly low: number; readonly high: number }): void {
    const group = i32.load(target + TARGET_GROUP);
    const ledger = i32.load(group + GROUP_LEDGER);
    const compiled = this.#byRecord.get(i32.load(ledger + LEDGER_RULE));
    const last = compiled === undefined ? -1 - DROPPED_MEMORY : this.last(compiled, group, hash, true);
    if (last < 0) refuseAt(target, ledger, last);
    else i32.store(target + TARGET_LAST, last);
  }

  #target(compiled: CompiledRule, admitted: Admitted, target: number): void {
    const group = this.#groupOf(compiled, admitted);
    const last = group > 0 ? this.#lastOf(compiled, group, admitted.input) : group;
    const refused = group <= 0 || last < 0;
    i32.store(target + TARGET_GROUP, refused ? 0 : group);
    i32.store(target + TARGET_LAST, refused ? this.#refusal(compiled, group, last, admitted.input) : last);
  }

  /** What stands in a target without a Group: the Ledger that counts its samples as dropped, and why; 0 when no Part holds it. */
  #refusal(compiled: CompiledRule, group: number, answer: number, input: Series): number {
    if (group === 0) return 0;
    const rival = this.#rival === 0 ? 0 : i32.load(this.#rival + LEDGER_RULE);
    this.refusals.note(compiled, input, -1 - answer, this.#byRecord.get(rival));
    const ledger = group > 0 ? i32.load(group + GROUP_LEDGER) : this.#parts.at(this.sliceKey)?.ledgers[compiled.index]?.at;
    if (ledger === undefined) throw new Error("a refused Group is in no Part");
    return ledger | (-1 - answer);
  }

  /** The Last of the Series, 0 when the rule keeps none; then it is counted in its place. Negative as for group(). */
  #lastOf(compiled: CompiledRule, group: number, input: Series): number {
    if (remembersSeries(compiled)) return this.last(compiled, group, this.#cache.seriesHash(input), true);
    if (i32.load(compiled.record + RULE_SERIES) >= compiled.rule.maxSeries) return -1 - DROPPED_SERIES_CAP;
    countSeries(group, 1);
    return 0;
  }

  #namesOf(compiled: CompiledRule, stem: string, metric: string): number {
    const known = this.#namesByStem[compiled.index]?.get(stem);
    if (known !== undefined) return known;
    const added = this.#addNames(namesOf(compiled, metric));
    this.#namesByStem[compiled.index]?.set(stem, added);
    return added;
  }

  #addNames(names: OutputNames): number {
    const free = this.#freeNames.pop();
    if (free === undefined) return this.#names.push(names) - 1;
    this.#names[free] = names;
    return free;
  }

  /** Whether a rule and that of a Group are of different versions, and never have one Window both. */
  #takesTurns(compiled: CompiledRule, group: number): boolean {
    const other = this.#byRecord.get(i32.load(i32.load(group + GROUP_LEDGER) + LEDGER_RULE));
    return other !== undefined && areDisjoint(compiled.validity, other.validity);
  }

  #shareOutput(group: number, names: number): boolean {
    const theirs = new Set(this.names(i32.load(group + GROUP_NAMES)).texts);
    return this.names(names).texts.some((text) => theirs.has(text));
  }
}

/** `answer`: of group() or last(), negative. */
function refuseAt(target: number, ledger: number, answer: number): void {
  i32.store(target + TARGET_GROUP, 0);
  i32.store(target + TARGET_LAST, ledger | (-1 - answer));
}
