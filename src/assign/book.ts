// What is known of each Slice beyond the Assignment: its weight, and when it moved. Carried along when Slices are cut, joined or
// moved, and not stored: a restarted assigner learns it again.
//
//   reports ──▶ weight per reported range ──cut to the Slices, smoothed──▶ Note per Slice ──▶ Plan
//
// Right after a Slice has got new bounds or a new owner, what is reported of it comes from a meter that has just started: for a
// while the prediction counts.
import type { Assignment, Slice } from "../slice/assignment.js";
import { compareGenerations, type Generation } from "../slice/generation.js";
import { type KeyRange, overlap } from "../slice/keyRange.js";
import type { Report } from "../slice/report.js";
import { addWeights, cutWeight, NO_WEIGHT, type Weight, weightOf, withRate } from "./load.js";

export interface Note {
  readonly weight: Weight;
  /** Whether its rate was ever measured, here or before it came here. */
  readonly isKnown: boolean;
  /** When it last got another owner, ms; -Infinity: not in our time. */
  readonly movedMs: number;
  /** When its owner last called a move off, ms. */
  readonly abortedMs: number;
  /** Until when it is held for its state to come back, ms; of use only where nobody owns it. */
  readonly heldUntilMs: number;
}

interface Entry extends KeyRange {
  readonly owner: string | null;
  readonly move: Generation | null;
  /** Changed in place: thousands of Slices are reported every second. */
  readonly note: { -readonly [key in keyof Note]: Note[key] };
  /** Before this the prediction counts. */
  warmMs: number;
  /** Of the last report taken in; NaN: none. */
  atMs: number;
}

/** The Slicelet's own meter needs as long to be right. */
const WARM_MS = 20_000;
const SMOOTH_MS = 20_000;

export class SliceBook {
  /** Invariant: sorted by low; the Slices of the Assignment followed last. */
  #entries: Entry[] = [];

  /** Takes over a new Assignment. `holdMs`: how long Slices of this Resource are held when they have lost it. */
  follow(nowMs: number, { slices }: Assignment, holdMs: (owner: string | null) => number): void {
    const old = this.#entries;
    let at = 0;
    this.#entries = slices.map((slice) => {
      while ((old[at]?.high ?? Number.POSITIVE_INFINITY) <= slice.low) at++;
      const parts: Entry[] = [];
      for (let i = at; (old[i]?.low ?? Number.POSITIVE_INFINITY) < slice.high; i++) {
        const entry = old[i];
        if (entry !== undefined) parts.push(entry);
      }
      return entryOf(nowMs, slice, parts, holdMs);
    });
  }

  report(nowMs: number, { id, serves }: Report): void {
    for (const served of serves) {
      for (let i = this.#indexOf(served.low); i < this.#entries.length; i++) {
        const entry = this.#entries[i];
        if (entry === undefined || entry.low >= served.high) break;
        // A range that is wider than the Slice says how its load lies; one that is narrower does not say enough.
        if (entry.owner !== id || served.low > entry.low || served.high < entry.high) continue;
        take(nowMs, entry, cutWeight(weightOf(served), served, entry));
      }
    }
  }

  /** By Slice of the Assignment followed last, in order. */
  notes(): readonly Note[] {
    return this.#entries.map(({ note }) => note);
  }

  #indexOf(key: number): number {
    let from = 0;
    let to = this.#entries.length - 1;
    while (from < to) {
      const middle = (from + to + 1) >>> 1;
      if ((this.#entries[middle]?.low ?? Number.POSITIVE_INFINITY) <= key) from = middle;
      else to = middle - 1;
    }
    return Math.max(from, 0);
  }
}

/** `parts`: the entries before that it overlaps. */
function entryOf(nowMs: number, slice: Slice, parts: readonly Entry[], holdMs: (owner: string | null) => number): Entry {
  const { low, high, owner, move } = slice;
  const [only] = parts;
  const isWhole = only !== undefined && parts.length === 1 && only.low === low && only.high === high;
  const isNews = parts.length === 0;
  const moved = parts.some((part) => part.owner !== owner);
  const aborted = parts.some((part) => part.owner === owner && part.move !== null && (move === null || compareGenerations(move, part.move) !== 0));
  const latest = (read: (note: Note) => number): number => parts.reduce((ms, { note }) => Math.max(ms, read(note)), Number.NEGATIVE_INFINITY);
  const note: Note = {
    weight: parts.reduce((sum, part) => addWeights(sum, cutWeight(part.note.weight, part, overlap(part, slice) ?? part)), NO_WEIGHT),
    isKnown: parts.length > 0 && parts.every((part) => part.note.isKnown),
    movedMs: moved ? nowMs : latest(({ movedMs }) => movedMs),
    abortedMs: aborted ? nowMs : latest(({ abortedMs }) => abortedMs),
    heldUntilMs:
      moved || isNews
        ? nowMs + Math.max(...(isNews ? [holdMs(null)] : parts.map((part) => holdMs(part.owner))))
        : latest(({ heldUntilMs }) => heldUntilMs),
  };
  if (isWhole && !moved) return { low, high, owner, move, note: { ...note, weight: only.note.weight }, warmMs: only.warmMs, atMs: only.atMs };
  return { low, high, owner, move, note, warmMs: nowMs + WARM_MS, atMs: Number.NaN };
}

function take(nowMs: number, entry: Entry, seen: Weight): void {
  const { note } = entry;
  const { weight } = note;
  // State is what it is; only rates need time. Where there is no prediction the reading is shown, but nobody plans with it.
  if (nowMs < entry.warmMs) {
    note.weight = note.isKnown ? { ...weight, bytes: seen.bytes } : seen;
    return;
  }
  const share = Number.isNaN(entry.atMs) ? 1 : 1 - Math.exp(-(nowMs - entry.atMs) / SMOOTH_MS);
  note.weight = withRate(seen, weight.rate + (seen.rate - weight.rate) * share);
  note.isKnown = true;
  entry.atMs = nowMs;
}
