// The Slicelet: what an aggregator serves. It follows Assignments, answers batches for what it holds and says of the rest where it
// is, hands Slices on and takes them over (outgoing.ts, incoming.ts), and tells the assigner. A machine: (now, event) -> actions.
//
//   an Assignment says        and here is                  so it
//   owner: me, term t         nothing                      opens it: from --data in that very term, else empty
//   owner: me, term t         state of an older term       drops that (others have served since) and opens it
//   owner: me, term t         an installed move t          serves it: as good as go
//   owner: me, moving to B    state                        begins the move
//   owner: other, term t      state of an older term       drops it: it was replaced
//   owner: other, term t      state of a newer term        keeps it: the Assignment lags behind a finished move
//
// What it has handed on stays in `#gone`, so that an Assignment that does not know of it yet opens nothing.
import { type Assignment, addressOf, ownedBy, type Slice, sliceIndexOf } from "../slice/assignment.js";
import { type BatchHead, joinAnswers, type RangeAnswer } from "../slice/batch.js";
import { compareGenerations, formatGeneration, type Generation, isNewer, NO_GENERATION } from "../slice/generation.js";
import { formatKeyRange, type KeyRange, overlap, without } from "../slice/keyRange.js";
import { RangeMap } from "../slice/rangeMap.js";
import type { NumberedRange, Report, ReportAnswer, ReportedState } from "../slice/report.js";
import type { Holdings, Outbox, PartAnswer } from "./holdings.js";
import { type Arrived, Incoming } from "./incoming.js";
import { LoadMeter } from "./loadMeter.js";
import type { CopyAnswer, CopyHead, Go, GoAnswer } from "./messages.js";
import { Offers } from "./offers.js";
import { type MoveLimits, Outgoing, type OutgoingAction } from "./outgoing.js";

export type SliceletEvent =
  | { readonly kind: "assignment"; readonly assignment: Assignment }
  | { readonly kind: "batch"; readonly head: BatchHead; readonly body: Uint8Array; readonly reply: number }
  | { readonly kind: "copy"; readonly head: CopyHead; readonly bytes: Uint8Array; readonly reply: number }
  | { readonly kind: "go"; readonly go: Go; readonly reply: number }
  | { readonly kind: "copy_answered"; readonly head: CopyHead; readonly answer: CopyAnswer }
  | { readonly kind: "go_answered"; readonly go: Go; readonly answer: GoAnswer }
  | { readonly kind: "withdrawn"; readonly range: KeyRange; readonly move: Generation; readonly outbox: Outbox }
  | { readonly kind: "reported"; readonly answer: ReportAnswer }
  /** How busy the process is, a share of one core. */
  | { readonly kind: "load"; readonly load: number }
  | { readonly kind: "tick" }
  /** What has not gone by now stays: moves that can be aborted are, and none begins. */
  | { readonly kind: "keep" }
  /** drain: hand everything on. stay: stand still, to come back in place; after a drain too, with what nobody took. */
  | { readonly kind: "stop"; readonly how: "drain" | "stay" };

export type SliceletAction =
  | { readonly kind: "answer"; readonly reply: number; readonly answers: readonly RangeAnswer[] }
  | { readonly kind: "copy_answer"; readonly reply: number; readonly answer: CopyAnswer }
  | { readonly kind: "go_answer"; readonly reply: number; readonly answer: GoAnswer }
  | OutgoingAction
  | { readonly kind: "report"; readonly report: Report }
  | { readonly kind: "put_assignment"; readonly assignment: Assignment }
  /** A move ended: out (done or aborted) or in. `pauseMs`: how long the range was frozen here. */
  | { readonly kind: "moved"; readonly range: KeyRange; readonly move: Generation; readonly how: "out" | "in" | "aborted"; readonly pauseMs: number }
  /** State is gone that nobody else has. */
  | { readonly kind: "lost"; readonly range: KeyRange; readonly reason: string }
  /** State in --data is not needed by anybody. */
  | { readonly kind: "spare"; readonly range: KeyRange; readonly reason: string }
  /**
   * A stop is over. Drained: nothing is held any more, and the newest Assignment says so, or does not for UNRECORDED_MS. Staying: nothing
   * of what is held changes any more, nor is under way.
   */
  | { readonly kind: "stopped" };

export interface SliceletOptions {
  readonly self: { readonly id: string; readonly address: string; readonly incarnation: string; readonly cluster: string };
  readonly holdings: Holdings;
  readonly limits: MoveLimits;
  readonly heartbeatMs: number;
  /** What lies in --data, by term; Holdings.restore has it. */
  readonly offers: readonly NumberedRange[];
}

/** How long a drained process stays to say where its Slices went, ms: the assigner may be away. */
const UNRECORDED_MS = 2000;

/** The newest term in which a key was handed on, and to whom. */
interface Gone {
  readonly term: Generation;
  readonly address: string;
}

export class Slicelet {
  readonly #options: SliceletOptions;
  readonly #holdings: Holdings;
  readonly #incoming: Incoming;
  readonly #meter = new LoadMeter();
  readonly #gone = new RangeMap<Gone | undefined>(undefined);
  #assignment: Assignment | undefined;
  #outgoing: Outgoing[] = [];
  #moved: NumberedRange[] = [];
  #aborted: NumberedRange[] = [];
  readonly #offers: Offers;
  #state: ReportedState = "running";
  #load = 0;
  #reportedMs = Number.NEGATIVE_INFINITY;
  #stopped = false;
  /** Since when nothing is held while it drains, ms; NaN: something is. */
  #emptyMs = Number.NaN;
  #keeps = false;

  constructor(options: SliceletOptions) {
    this.#options = options;
    this.#holdings = options.holdings;
    this.#incoming = new Incoming(options.holdings);
    this.#offers = new Offers(options.offers);
  }

  get self(): SliceletOptions["self"] {
    return this.#options.self;
  }

  get assignment(): Assignment | undefined {
    return this.#assignment;
  }

  get state(): ReportedState {
    return this.#state;
  }

  /** What lies in --data and nobody has decided about. */
  get offers(): readonly NumberedRange[] {
    return this.#offers.all;
  }

  /** Rows that came with ranges which wait for go. */
  get rowsArriving(): Outbox {
    return this.#incoming.rows;
  }

  /** Ranges that are frozen for a move out. */
  get moving(): readonly Outgoing[] {
    return this.#outgoing;
  }

  step(nowMs: number, event: SliceletEvent): SliceletAction[] {
    switch (event.kind) {
      case "assignment":
        return this.#follow(nowMs, event.assignment);
      case "batch":
        return [{ kind: "answer", reply: event.reply, answers: this.#batch(nowMs, event.head, event.body) }];
      case "copy":
        return this.#copy(event.head, event.bytes, event.reply);
      case "go":
        return this.#go(nowMs, event.go, event.reply);
      case "copy_answered":
        return this.#copyAnswered(nowMs, event.head, event.answer);
      case "go_answered":
        return event.answer === "serving" ? this.#handedOn(nowMs, event.go) : [];
      case "withdrawn":
        return this.#withdrawn(nowMs, event);
      case "reported":
        return this.#reported(event.answer);
      case "load":
        this.#load = event.load;
        return [];
      case "tick":
        return this.#tick(nowMs);
      case "keep":
        this.#keeps = true;
        return this.#outgoing.filter(({ irrevocable }) => !irrevocable).flatMap((outgoing) => this.#abort(nowMs, outgoing, true));
      case "stop":
        return event.how === "stay" ? this.#stay(nowMs) : this.#drain(nowMs);
    }
  }

  // ---- batches ---------------------------------------------------------------------------------------------------------

  #batch(nowMs: number, head: BatchHead, body: Uint8Array): RangeAnswer[] {
    const answers = this.#holdings.apply(nowMs, head, body).flatMap((answer) => {
      // Nothing is copied anywhere yet (durability: none), so what is applied need not be kept.
      if (answer.answer !== "elsewhere") return [{ ...answer, durable: answer.applied, owner: null }];
      return this.#elsewhere(answer);
    });
    return joinAnswers(answers);
  }

  /** Who serves a range that is not held here. */
  #elsewhere(answer: PartAnswer): RangeAnswer[] {
    return this.#gone.within(answer).flatMap(({ low, high, value: gone }) => {
      return this.#slicesOf({ low, high }).map(({ part, slice }): RangeAnswer => {
        const handed = gone !== undefined && (slice === undefined || compareGenerations(gone.term, slice.term) >= 0) ? gone.address : undefined;
        const mine = handed === undefined && slice?.owner === this.#options.self.id;
        const listed = slice === undefined || this.#assignment === undefined ? undefined : addressOf(this.#assignment, slice.owner);
        return { ...part, answer: mine ? "wait" : "elsewhere", applied: 0, durable: 0, owner: mine ? null : (handed ?? listed ?? null) };
      });
    });
  }

  #slicesOf(range: KeyRange): { readonly part: KeyRange; readonly slice: Slice | undefined }[] {
    const slices = this.#assignment?.slices;
    if (slices === undefined) return [{ part: range, slice: undefined }];
    const parts: { part: KeyRange; slice: Slice }[] = [];
    for (let i = sliceIndexOf(slices, range.low); i < slices.length; i++) {
      const slice = slices[i];
      const part = slice === undefined ? undefined : overlap(slice, range);
      if (slice === undefined || part === undefined) break;
      parts.push({ part, slice });
    }
    return parts;
  }

  // ---- following Assignments -------------------------------------------------------------------------------------------

  #follow(nowMs: number, assignment: Assignment): SliceletAction[] {
    if (this.#assignment !== undefined && !isNewer(assignment.generation, this.#assignment.generation)) return [];
    this.#assignment = assignment;
    const actions: SliceletAction[] = [];
    this.#refuse(assignment, actions);
    this.#incoming.prune((range, move) => this.#lives(range, move));
    this.#settle(nowMs, assignment, actions);
    this.#moved = this.#moved.filter((moved) => this.#slicesOf(moved).some(({ slice }) => slice !== undefined && isNewer(moved.number, slice.term)));
    this.#aborted = this.#aborted.filter(({ number, ...range }) =>
      this.#slicesOf(range).some(({ slice }) => slice?.move !== undefined && slice.move !== null && compareGenerations(slice.move, number) === 0),
    );
    this.#endMoves(nowMs, actions);
    const mine = ownedBy(assignment, this.#options.self.id).filter(({ movingTo }) => movingTo !== null);
    for (const slice of mine) this.#begin(nowMs, slice, actions);
    return [...actions, ...this.#stoppedNow(nowMs)];
  }

  /** Makes what is held agree with the Assignment. */
  #settle(nowMs: number, assignment: Assignment, actions: SliceletAction[]): void {
    const mine = ownedBy(assignment, this.#options.self.id);
    for (const slice of mine) this.#arrived(this.#incoming.granted(slice, slice.term), actions);
    for (const held of this.#holdings.held()) {
      for (const { part, slice } of this.#slicesOf(held)) {
        if (slice === undefined || !isNewer(slice.term, held.term)) continue;
        this.#holdings.drop(part);
        actions.push({ kind: "lost", range: part, reason: `replaced in term ${formatGeneration(slice.term)}` });
      }
    }
    // What stands still opens nothing: it is written as it is, or was already.
    const missings = this.#state === "staying" ? [] : without(mine, this.#holdings.held());
    for (const missing of missings) {
      for (const { part, slice } of this.#slicesOf(missing)) if (slice !== undefined) this.#openAll(nowMs, part, slice.term);
    }
  }

  /** Opens what was never handed on in this or a newer term. */
  #openAll(nowMs: number, range: KeyRange, term: Generation): void {
    for (const { low, high, value: gone } of this.#gone.within(range)) {
      if (gone === undefined || isNewer(term, gone.term)) this.#open(nowMs, { low, high }, term);
    }
  }

  #open(nowMs: number, range: KeyRange, term: Generation): void {
    const granted = this.#offers.take(range, term);
    for (const part of granted) this.#holdings.restore(part, term, nowMs);
    for (const part of without([range], granted)) this.#holdings.open(part, term, nowMs);
  }

  /** What an Assignment rules out of what lies in --data goes. */
  #refuse(assignment: Assignment, actions: SliceletAction[]): void {
    for (const { isLost, reason, ...range } of this.#offers.refused(assignment)) {
      this.#holdings.drop(range);
      actions.push({ kind: isLost ? "lost" : "spare", range, reason });
    }
  }

  /** Whether the Assignment still knows of a move in: published and not ended, or ended in our favour, or newer than what we know. */
  #lives(range: KeyRange, move: Generation): boolean {
    if (this.#assignment === undefined || isNewer(move, this.#assignment.generation)) return true;
    const { id } = this.#options.self;
    return this.#slicesOf(range).every(({ slice }) => {
      if (slice === undefined) return false;
      const published = slice.movingTo === id && slice.move !== null && compareGenerations(slice.move, move) === 0;
      return published || (slice.owner === id && compareGenerations(slice.term, move) === 0);
    });
  }

  // ---- moves out -------------------------------------------------------------------------------------------------------

  #begin(nowMs: number, slice: Slice, actions: SliceletAction[]): void {
    const { movingTo, move } = slice;
    const { self, holdings, limits } = this.#options;
    if (movingTo === null || move === null || this.#state === "staying" || this.#keeps) return;
    const number = { low: slice.low, high: slice.high, number: move };
    if (this.#find(slice, move) !== undefined || [...this.#moved, ...this.#aborted].some((known) => isSame(known, number))) return;
    const address = this.#assignment === undefined ? undefined : addressOf(this.#assignment, movingTo);
    const whole = without([slice], holdings.held()).length === 0;
    if (address === undefined || !whole || this.#isGone(movingTo)) {
      this.#aborted.push(number);
      return;
    }
    const about = { range: { low: slice.low, high: slice.high }, move, target: { id: movingTo, address }, from: self.id };
    const outgoing = new Outgoing(about, { holdings, limits }, nowMs);
    this.#outgoing.push(outgoing);
    actions.push(...outgoing.start(nowMs));
  }

  #isGone(id: string): boolean {
    return this.#assignment?.resources.find((resource) => resource.id === id)?.state !== "running";
  }

  /** Moves that the newest Assignment ends, or that have lost their target. */
  #endMoves(nowMs: number, actions: SliceletAction[]): void {
    for (const outgoing of [...this.#outgoing]) {
      const { move, range } = outgoing;
      const slices = this.#slicesOf(range);
      if (outgoing.irrevocable) {
        if (slices.every(({ slice }) => slice === undefined || !isNewer(move, slice.term)))
          actions.push(...this.#handedOn(nowMs, { ...range, move }));
        continue;
      }
      const published = slices.every(({ slice }) => slice?.move !== undefined && slice.move !== null && compareGenerations(slice.move, move) === 0);
      if (!published || this.#isGone(outgoing.target.id)) actions.push(...this.#abort(nowMs, outgoing, published));
    }
  }

  #copyAnswered(nowMs: number, { low, high, move, number }: CopyHead, answer: CopyAnswer): SliceletAction[] {
    const outgoing = this.#find({ low, high }, move);
    if (outgoing === undefined) return [];
    if (answer === "serving") return this.#handedOn(nowMs, { low, high, move });
    const result = outgoing.copyAnswered(nowMs, number, answer);
    if (result === "aborted") return this.#abort(nowMs, outgoing, true);
    if (!outgoing.irrevocable) return result;
    // From here on the target may serve, and nothing here ever will: whoever asks is sent there, and the assigner hears it at once.
    this.#holdings.drop({ low, high });
    this.#gone.update({ low, high }, () => ({ term: move, address: outgoing.target.address }));
    this.#moved.push({ low, high, number: move });
    return [...result, this.#report(nowMs)];
  }

  #withdrawn(nowMs: number, { range, move, outbox }: Extract<SliceletEvent, { kind: "withdrawn" }>): SliceletAction[] {
    const outgoing = this.#find(range, move);
    if (outgoing === undefined) return [{ kind: "resume", outbox }];
    const result = outgoing.withdrawn(nowMs, outbox);
    return "aborted" in result ? [...this.#abort(nowMs, outgoing, result.aborted.say), ...this.#stoppedNow(nowMs)] : result;
  }

  #abort(nowMs: number, outgoing: Outgoing, say: boolean): SliceletAction[] {
    const { range, move } = outgoing;
    if (outgoing.doom(say)) return [];
    this.#outgoing = this.#outgoing.filter((other) => other !== outgoing);
    const term = this.#holdings.held().find((held) => overlap(held, range) !== undefined)?.term;
    const actions: SliceletAction[] = outgoing.undo(term);
    if (this.#state === "staying") this.#freeze();
    if (say) this.#aborted.push({ ...range, number: move });
    const moved: SliceletAction = { kind: "moved", range, move, how: "aborted", pauseMs: pauseOf(nowMs, outgoing) };
    return [...actions, moved, ...(say ? [this.#report(nowMs)] : [])];
  }

  /** The target serves: go need not be repeated any more. */
  #handedOn(nowMs: number, go: KeyRange & { readonly move: Generation }): SliceletAction[] {
    const outgoing = this.#find(go, go.move);
    if (outgoing === undefined || !outgoing.irrevocable) return [];
    this.#outgoing = this.#outgoing.filter((other) => other !== outgoing);
    return [{ kind: "moved", range: outgoing.range, move: outgoing.move, how: "out", pauseMs: pauseOf(nowMs, outgoing) }, ...this.#stoppedNow(nowMs)];
  }

  #find({ low, high }: KeyRange, move: Generation): Outgoing | undefined {
    return this.#outgoing.find(
      (outgoing) => outgoing.range.low === low && outgoing.range.high === high && compareGenerations(outgoing.move, move) === 0,
    );
  }

  // ---- moves in --------------------------------------------------------------------------------------------------------

  #copy(head: CopyHead, bytes: Uint8Array, reply: number): SliceletAction[] {
    const current = this.#current(head);
    if (!this.#mayCopy(head, current)) return [{ kind: "copy_answer", reply, answer: "refused" }];
    // Somebody has served it since: what lies in --data of it is no use, and would be in the way.
    const actions: SliceletAction[] = this.#offers.withdraw(head).map((range) => {
      this.#holdings.drop(range);
      return { kind: "spare", range, reason: `${head.from} hands over what is newer` };
    });
    return [{ kind: "copy_answer", reply, answer: this.#incoming.copy(head, bytes, current) }, ...actions];
  }

  #mayCopy(head: CopyHead, current: Generation): boolean {
    // Who has said that it is done may end at any moment.
    if (head.to !== this.#options.self.id || this.#stopped) return false;
    if (this.#state === "staying" && !this.#incoming.hasInstalled(head)) return false;
    // A move that the newest Assignment has ended is dead, whoever still sends for it.
    return this.#lives(head, head.move) || !isNewer(head.move, current);
  }

  /** The highest term known of any key of a range. */
  #current(range: KeyRange): Generation {
    const terms = [
      ...this.#holdings.held().flatMap((held) => (overlap(held, range) === undefined || held.frozen ? [] : [held.term])),
      ...this.#gone.within(range).flatMap(({ value }) => (value === undefined ? [] : [value.term])),
    ];
    return terms.reduce((newest, term) => (isNewer(term, newest) ? term : newest), NO_GENERATION);
  }

  #go(nowMs: number, go: Go, reply: number): SliceletAction[] {
    if (go.to !== this.#options.self.id) return [{ kind: "go_answer", reply, answer: "unknown" }];
    const { answer, arrived } = this.#incoming.go(go);
    const actions: SliceletAction[] = [{ kind: "go_answer", reply, answer }];
    this.#arrived(arrived, actions);
    if (arrived !== undefined) actions.push(this.#report(nowMs), ...this.#stoppedNow(nowMs));
    return actions;
  }

  #arrived(arrived: Arrived | undefined, actions: SliceletAction[]): void {
    if (arrived === undefined) return;
    this.#gone.update(arrived.range, () => undefined);
    if (this.#state === "staying") this.#freeze();
    if (arrived.outbox.length > 0) actions.push({ kind: "resume", outbox: arrived.outbox });
    actions.push({ kind: "moved", range: arrived.range, move: arrived.move, how: "in", pauseMs: 0 });
  }

  // ---- telling the assigner --------------------------------------------------------------------------------------------

  #tick(nowMs: number): SliceletAction[] {
    const actions: SliceletAction[] = [];
    for (const outgoing of [...this.#outgoing]) {
      const result = outgoing.tick(nowMs);
      actions.push(...(result === "aborted" ? this.#abort(nowMs, outgoing, true) : result));
    }
    if (nowMs - this.#reportedMs >= this.#options.heartbeatMs) actions.push(this.#report(nowMs));
    return [...actions, ...this.#stoppedNow(nowMs)];
  }

  #report(nowMs: number): SliceletAction {
    this.#reportedMs = nowMs;
    const { id, address, incarnation, cluster } = this.#options.self;
    // What is installed and waits for go is the old owner's still; what go was said for is the target's.
    const held = this.#holdings.held().filter((part) => !part.frozen || !this.#incoming.hasInstalled(part));
    const generation = this.#assignment?.generation ?? NO_GENERATION;
    const serves = this.#meter.read(nowMs, held);
    const report: Report = {
      cluster,
      id,
      address,
      incarnation,
      state: this.#state,
      generation,
      load: this.#load,
      serves,
      moved: this.#moved,
      aborted: this.#aborted,
      offers: this.#offers.all,
    };
    return { kind: "report", report };
  }

  #reported({ wantsAssignment }: ReportAnswer): SliceletAction[] {
    return wantsAssignment && this.#assignment !== undefined ? [{ kind: "put_assignment", assignment: this.#assignment }] : [];
  }

  // ---- stopping --------------------------------------------------------------------------------------------------------

  #drain(nowMs: number): SliceletAction[] {
    if (this.#state === "running") this.#state = "draining";
    return [this.#report(nowMs), ...this.#stoppedNow(nowMs)];
  }

  /** Moves that can be called off are; what go was said for goes on, and what waits for go waits on. All else stands still. */
  #stay(nowMs: number): SliceletAction[] {
    this.#state = "staying";
    const revocable = this.#outgoing.filter(({ irrevocable }) => !irrevocable);
    const actions = revocable.flatMap((outgoing) => this.#abort(nowMs, outgoing, true));
    this.#incoming.abandon();
    this.#freeze();
    return [...actions, this.#report(nowMs), ...this.#stoppedNow(nowMs)];
  }

  #freeze(): void {
    for (const { low, high, frozen } of this.#holdings.held()) if (!frozen) this.#holdings.freeze({ low, high });
  }

  #stoppedNow(nowMs: number): SliceletAction[] {
    if (this.#state === "running" || this.#stopped || this.#outgoing.length > 0) return [];
    if (this.#state === "draining" ? !this.#isDrained(nowMs) : this.#incoming.waits) return [];
    this.#stopped = true;
    return [{ kind: "stopped" }];
  }

  #isDrained(nowMs: number): boolean {
    if (this.#holdings.held().length > 0 || this.#offers.all.length > 0) return false;
    if (Number.isNaN(this.#emptyMs)) this.#emptyMs = nowMs;
    // Until an Assignment says where its Slices went, routers hear it here alone.
    return this.#moved.length === 0 || nowMs - this.#emptyMs >= UNRECORDED_MS;
  }
}

function isSame(a: NumberedRange, b: NumberedRange): boolean {
  return a.low === b.low && a.high === b.high && compareGenerations(a.number, b.number) === 0;
}

function pauseOf(nowMs: number, { frozenMs }: Outgoing): number {
  return Number.isNaN(frozenMs) ? 0 : nowMs - frozenMs;
}

/** For messages. */
export function describeMove(action: Extract<SliceletAction, { kind: "moved" }>): string {
  const { range, move, how, pauseMs } = action;
  const what = `slice ${formatKeyRange(range)} ${how === "aborted" ? "was not moved" : `moved ${how}`} (${formatGeneration(move)})`;
  return how === "in" ? what : `${what}, frozen for ${String(Math.round(pauseMs))} ms`;
}
