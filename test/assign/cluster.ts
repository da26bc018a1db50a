// A cluster in virtual time around the real assigner: Slicelets that keep to the protocol but hold no state, a store in memory, a
// load on keys. What it counts (moves, churn) is what happened to ownership, not what the assigner says.
import { Assigner, type AssignerAction, type AssignerEvent } from "#limpet/assign/assigner.js";
import type { Decision } from "#limpet/assign/decision.js";
import type { AssignerLimits } from "#limpet/assign/limits.js";
import { type Assignment, assignmentFault, type Slice } from "#limpet/slice/assignment.js";
import { assignmentTable } from "#limpet/slice/assignmentTable.js";
import { compareGenerations, type Generation, isNewer, NO_GENERATION } from "#limpet/slice/generation.js";
import { KEY_END, type KeyRange, overlap, without } from "#limpet/slice/keyRange.js";
import type { NumberedRange, Report, ReportedState } from "#limpet/slice/report.js";

/** Rate of each of some keys, sorted by key. */
export interface KeyLoad {
  readonly keys: Uint32Array;
  /** sums[i]: rate of the first i keys. */
  readonly sums: Float64Array;
}

export function keyLoad(rates: Iterable<readonly [key: number, rate: number]>): KeyLoad {
  const sorted = [...rates].toSorted(([a], [b]) => a - b);
  const sums = new Float64Array(sorted.length + 1);
  sorted.forEach(([, rate], i) => {
    sums[i + 1] = (sums[i] ?? 0) + rate;
  });
  return { keys: Uint32Array.from(sorted, ([key]) => key), sums };
}

function firstAt(keys: Uint32Array, key: number): number {
  let from = 0;
  let to = keys.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((keys[middle] ?? KEY_END) < key) from = middle + 1;
    else to = middle;
  }
  return from;
}

export function rateOf({ keys, sums }: KeyLoad, { low, high }: KeyRange): number {
  return (sums[firstAt(keys, high)] ?? 0) - (sums[firstAt(keys, low)] ?? 0);
}

function topOf({ keys, sums }: KeyLoad, range: KeyRange): [number, number][] {
  const from = firstAt(keys, range.low);
  const to = firstAt(keys, range.high);
  const all = (sums[to] ?? 0) - (sums[from] ?? 0);
  const top: [number, number][] = [];
  for (let i = from; i < to; i++) {
    const share = ((sums[i + 1] ?? 0) - (sums[i] ?? 0)) / all;
    if (share >= 0.05) top.push([keys[i] ?? 0, share]);
  }
  return top.toSorted(([, a], [, b]) => b - a).slice(0, 8);
}

interface Served extends KeyRange {
  readonly term: Generation;
}

interface Handing extends KeyRange {
  readonly move: Generation;
  readonly to: string;
  readonly doneMs: number;
}

export class FakeSlicelet {
  readonly id: string;
  readonly address: string;
  readonly incarnation: string;
  state: ReportedState = "running";
  serves: Served[] = [];
  moved: NumberedRange[] = [];
  aborted: NumberedRange[] = [];
  offers: NumberedRange[] = [];
  handing: Handing[] = [];
  generation: Generation = NO_GENERATION;
  assignment: Assignment | undefined;
  alive = true;
  /** Calls every move off. */
  refuses = false;
  heardMs = Number.NEGATIVE_INFINITY;

  constructor(name: string, incarnation: string) {
    this.address = `http://${name}:4581`;
    this.incarnation = incarnation;
    this.id = `${name}:4581@${incarnation}`;
  }
}

export interface ClusterOptions {
  readonly limits?: Partial<AssignerLimits>;
  readonly load?: KeyLoad;
  /** How long a move takes. */
  readonly moveMs?: number;
  /** Multiplies the rate of a range at each report. */
  readonly noise?: () => number;
  /** Coarser for long runs. */
  readonly tickMs?: number;
  readonly heartbeatMs?: number;
}

export class Cluster {
  nowMs = 0;
  assigner: Assigner;
  stored: Assignment | undefined;
  readonly slicelets: FakeSlicelet[] = [];
  readonly published: Assignment[] = [];
  readonly decisions: Decision[] = [];
  readonly notices: string[] = [];
  load: KeyLoad | undefined;
  /** Changes of owner so far, and what they carried: keys as a share of the key space, load as a share of all. */
  churn = { moves: 0, keys: 0, load: 0 };
  rules = "r1";
  writable = true;
  readonly #muted = new Set<FakeSlicelet>();
  readonly #options: ClusterOptions;
  readonly #tickMs: number;
  readonly #heartbeatMs: number;

  constructor(options: ClusterOptions = {}) {
    this.#options = options;
    this.#tickMs = options.tickMs ?? 100;
    this.#heartbeatMs = options.heartbeatMs ?? 500;
    this.load = options.load;
    this.assigner = new Assigner({ nowMs: 0, stored: undefined, rules: this.rules, limits: options.limits ?? {} });
  }

  get assignment(): Assignment {
    const newest = this.published.at(-1);
    if (newest === undefined) throw new Error("nothing was published");
    return newest;
  }

  start(name: string, incarnation = "1"): FakeSlicelet {
    const slicelet = new FakeSlicelet(name, incarnation);
    this.slicelets.push(slicelet);
    return slicelet;
  }

  tell(event: AssignerEvent): void {
    this.#do(this.assigner.handle(this.nowMs, event));
  }

  /** Cuts it off from the assigner: neither its reports nor Assignments get through. */
  mute(slicelet: FakeSlicelet, on: boolean): void {
    if (on) this.#muted.add(slicelet);
    else {
      this.#muted.delete(slicelet);
      this.#follow(slicelet, this.assignment);
    }
  }

  kill(slicelet: FakeSlicelet): void {
    slicelet.alive = false;
  }

  /** `store`: what it finds there. */
  restartAssigner(store: "kept" | "lost" | Assignment = "kept"): void {
    if (store !== "kept") this.stored = store === "lost" ? undefined : store;
    this.assigner = new Assigner({ nowMs: this.nowMs, stored: this.stored, rules: this.rules, limits: this.#options.limits ?? {} });
  }

  run(ms: number): void {
    const until = this.nowMs + ms;
    while (this.nowMs < until) {
      this.nowMs += this.#tickMs;
      for (const slicelet of this.slicelets) this.#live(slicelet);
      this.#do(this.assigner.handle(this.nowMs, { kind: "tick" }));
    }
  }

  /** Runs until it holds; fails after a limit of virtual time. */
  runUntil(holds: () => boolean, limitMs = 600_000): void {
    const until = this.nowMs + limitMs;
    while (!holds()) {
      if (this.nowMs >= until) throw new Error(`it never held:\n${this.table()}`);
      this.run(this.#tickMs);
    }
  }

  table(by: "slice" | "owner" = "owner"): string {
    return assignmentTable(this.assignment, by);
  }

  /** Load by owner id, of running ones. */
  loads(): Map<string, number> {
    const running = this.assignment.resources.filter(({ state }) => state === "running");
    const loads = new Map(running.map(({ id }) => [id, 0]));
    for (const slice of this.assignment.slices) {
      if (slice.owner !== null && loads.has(slice.owner)) loads.set(slice.owner, (loads.get(slice.owner) ?? 0) + this.#rate(slice));
    }
    return loads;
  }

  /** Largest load over the mean. */
  imbalance(): number {
    const loads = [...this.loads().values()];
    return Math.max(...loads) / (loads.reduce((sum, load) => sum + load, 0) / loads.length);
  }

  report(slicelet: FakeSlicelet): void {
    if (this.#muted.has(slicelet)) return;
    const { id, address, incarnation, state, generation, moved, aborted, offers } = slicelet;
    const serves = slicelet.serves.map(({ low, high, term }) => {
      const range = { low, high };
      const rate = this.#rate(range) * (this.#options.noise?.() ?? 1);
      return { ...range, term, rate, bytes: 1000 + this.#rate(range), top: this.load === undefined ? [] : topOf(this.load, range) };
    });
    const load = serves.reduce((sum, { rate }) => sum + rate, 0);
    const report: Report = { cluster: "test", id, address, incarnation, state, generation, load, serves, moved, aborted, offers };
    const { wantsAssignment } = this.assigner.answer(report);
    this.#do(this.assigner.handle(this.nowMs, { kind: "report", report }));
    if (wantsAssignment && slicelet.assignment !== undefined)
      this.#do(this.assigner.handle(this.nowMs, { kind: "seen", assignment: slicelet.assignment }));
  }

  #rate(range: KeyRange): number {
    return this.load === undefined ? (range.high - range.low) / KEY_END : rateOf(this.load, range);
  }

  #live(slicelet: FakeSlicelet): void {
    if (!slicelet.alive) return;
    for (const handing of [...slicelet.handing]) if (this.nowMs >= handing.doneMs) this.#handOver(slicelet, handing);
    if (this.nowMs - slicelet.heardMs < this.#heartbeatMs) return;
    slicelet.heardMs = this.nowMs;
    this.report(slicelet);
  }

  #handOver(slicelet: FakeSlicelet, handing: Handing): void {
    slicelet.handing = slicelet.handing.filter((other) => other !== handing);
    const { low, high, move } = handing;
    const target = this.slicelets.find(({ id, alive }) => id === handing.to && alive);
    if (target === undefined || slicelet.refuses) slicelet.aborted.push({ low, high, number: move });
    else {
      slicelet.serves = cutOut(slicelet.serves, handing);
      target.serves.push({ low, high, term: move });
      slicelet.moved.push({ low, high, number: move });
    }
    this.report(slicelet);
  }

  #do(actions: readonly AssignerAction[]): void {
    for (const action of actions) {
      if (action.kind === "notice") this.notices.push(`${action.level} ${action.text}`);
      else if (action.kind === "read") this.#do(this.assigner.handle(this.nowMs, { kind: "stored", stored: this.stored }));
      else if (action.kind === "commit") this.#commit(action.expected, action.assignment);
      else this.#publish(action.assignment, action.decisions);
    }
  }

  #commit(expected: Generation | undefined, assignment: Assignment): void {
    if (!this.writable) return this.#do(this.assigner.handle(this.nowMs, { kind: "unwritten", message: "ENOSPC" }));
    const known = this.stored?.generation;
    const isExpected = known === undefined || expected === undefined ? known === expected : compareGenerations(known, expected) === 0;
    if (!isExpected) return this.#do(this.assigner.handle(this.nowMs, { kind: "refused", stored: this.stored }));
    this.stored = assignment;
    this.#do(this.assigner.handle(this.nowMs, { kind: "committed" }));
  }

  #publish(assignment: Assignment, decisions: readonly Decision[]): void {
    const before = this.published.at(-1);
    const fault = assignmentFault(assignment);
    if (fault !== undefined) throw new Error(`${fault}\n${assignmentTable(assignment)}`);
    if (before !== undefined && !isNewer(assignment.generation, before.generation)) throw new Error("a generation that does not grow");
    this.published.push(assignment);
    this.decisions.push(...decisions);
    if (before !== undefined) this.#countChurn(before, assignment);
    for (const slicelet of this.slicelets) if (slicelet.alive && !this.#muted.has(slicelet)) this.#follow(slicelet, assignment);
  }

  #countChurn(before: Assignment, after: Assignment): void {
    const all = this.load === undefined ? 1 : (this.load.sums.at(-1) ?? 1);
    let at = 0;
    for (const slice of after.slices) {
      while ((before.slices[at]?.high ?? KEY_END) <= slice.low) at++;
      for (let i = at; (before.slices[i]?.low ?? KEY_END) < slice.high; i++) {
        const old = before.slices[i];
        const part = old === undefined ? undefined : overlap(old, slice);
        if (old !== undefined && part !== undefined) checkTerms(old, slice);
        if (old === undefined || part === undefined || old.owner === slice.owner || old.owner === null) continue;
        // The same process come back is no move.
        if (slice.owner !== null && old.owner.split("@")[0] === slice.owner.split("@")[0] && compareGenerations(old.term, slice.term) === 0) continue;
        this.churn.moves++;
        this.churn.keys += (part.high - part.low) / KEY_END;
        this.churn.load += this.#rate(part) / all;
      }
    }
  }

  #follow(slicelet: FakeSlicelet, assignment: Assignment): void {
    slicelet.generation = assignment.generation;
    slicelet.assignment = assignment;
    const states = new Map(assignment.resources.map(({ id, state }) => [id, state]));
    const { slices } = assignment;
    slicelet.moved = slicelet.moved.filter(({ number, ...range }) =>
      slices.some((slice) => overlap(range, slice) !== undefined && isNewer(number, slice.term)),
    );
    slicelet.aborted = slicelet.aborted.filter(({ number, ...range }) =>
      slices.some(({ move, ...slice }) => overlap(range, slice) !== undefined && move !== null && compareGenerations(move, number) === 0),
    );
    const served: Served[] = [];
    const before = slicelet.serves.toSorted((a, b) => a.low - b.low);
    let from = 0;
    for (const slice of slices) {
      const { low, high, owner, term, movingTo, move } = slice;
      while ((before[from]?.high ?? KEY_END) <= low) from++;
      const mine: Served[] = [];
      for (let i = from; (before[i]?.low ?? KEY_END) < high; i++) {
        const range = before[i];
        if (range !== undefined && !isNewer(term, range.term)) mine.push(range);
      }
      for (const range of mine) served.push({ ...(overlap(range, slice) ?? slice), term: range.term });
      if (owner !== slicelet.id) continue;
      for (const hole of without([slice], mine)) {
        if (slicelet.moved.some((word) => overlap(word, hole) !== undefined)) continue;
        served.push({ ...hole, term });
        slicelet.offers = slicelet.offers.filter((offer) => overlap(offer, hole) === undefined);
      }
      if (movingTo === null || move === null || slicelet.state === "staying") continue;
      const number = { low, high, number: move };
      const isKnown = [...slicelet.handing.map(({ move: of, ...range }) => ({ ...range, number: of })), ...slicelet.moved, ...slicelet.aborted].some(
        (word) => word.low === low && compareGenerations(word.number, move) === 0,
      );
      if (isKnown) continue;
      if (states.get(movingTo) !== "running") slicelet.aborted.push(number);
      else slicelet.handing.push({ low, high, move, to: movingTo, doneMs: this.nowMs + (this.#options.moveMs ?? 200) });
    }
    slicelet.serves = served;
    for (const handing of [...slicelet.handing]) {
      if (states.get(handing.to) === "running") continue;
      slicelet.handing = slicelet.handing.filter((other) => other !== handing);
      slicelet.aborted.push({ low: handing.low, high: handing.high, number: handing.move });
    }
  }
}

/** Terms never go back, and in one term there is one owner: the same process, or the one that came back with its state. */
function checkTerms(before: Slice, after: Slice): void {
  const order = compareGenerations(after.term, before.term);
  if (order < 0) throw new Error(`the term of ${String(after.low)} went back`);
  const placeOf = (owner: string): string => owner.split("@")[0] ?? owner;
  if (order !== 0 || before.owner === null || after.owner === null || placeOf(before.owner) === placeOf(after.owner)) return;
  throw new Error(`${before.owner} and ${after.owner} own ${String(after.low)} in one term`);
}

function cutOut(serves: readonly Served[], taken: KeyRange): Served[] {
  return serves.flatMap((range) => without([range], [taken]).map((part) => ({ ...part, term: range.term })));
}
