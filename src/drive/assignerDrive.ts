// Drives the assigner: feeds it time and events, carries out what it wants, counts and tells.
//
//   http ──report, seen, drain──▶ Assigner ──commit, read──▶ store (one after the other; the outcome goes back in)
//   tick ───────────────────────▶          ──publish──▶ Watchers      ──notice, decisions──▶ log, status
import type { Writable } from "node:stream";
import { Assigner, type AssignerAction, type AssignerEvent } from "../assign/assigner.js";
import type { Decision } from "../assign/decision.js";
import type { AssignerLimits } from "../assign/limits.js";
import type { AssignerStore } from "../assign/store.js";
import { counted } from "../base/counted.js";
import type { Log } from "../base/log.js";
import { Watchers } from "../http/watchers.js";
import type { Assignment } from "../slice/assignment.js";
import { encodeAssignment } from "../slice/assignmentWire.js";
import { formatGeneration, type Generation } from "../slice/generation.js";
import { formatKeyRange } from "../slice/keyRange.js";
import type { Report, ReportAnswer } from "../slice/report.js";

export interface AssignerDriveOptions {
  readonly store: AssignerStore;
  /** Hash of the rules in force. */
  readonly rules: string;
  readonly limits: Partial<AssignerLimits>;
  readonly watchersMax: number;
  readonly log: Log;
  /** Monotonic, ms. */
  readonly now: () => number;
  /** A broken invariant: the process must end. */
  readonly onBroken: (error: unknown) => void;
}

/** A decision and the Generation it came with. */
export interface Told extends Decision {
  readonly generation: string;
}

const TICK_MS = 100;
const KEEP_ALIVE_MS = 2000;
const TOLD_MAX = 200;

export class AssignerDrive {
  readonly assigner: Assigner;
  readonly watchers: Watchers;
  readonly #options: AssignerDriveOptions;
  /** The newest Assignment as it goes out; undefined: there is none. */
  #line: string | undefined;
  #store: Promise<void> = Promise.resolve();
  #ticking: NodeJS.Timeout | undefined;
  #keptMs = 0;
  #stopped = false;
  /** The latest decisions, oldest first; at most TOLD_MAX. */
  readonly told: Told[] = [];
  readonly moves: Record<string, number> = {};
  readonly commits = { ok: 0, conflict: 0, failed: 0 };
  movesAborted = 0;
  heartbeats = 0;

  private constructor(options: AssignerDriveOptions, stored: Assignment | undefined) {
    this.#options = options;
    const { rules, limits, now } = options;
    this.watchers = new Watchers(now, options.watchersMax);
    this.assigner = new Assigner({ nowMs: now(), stored, rules, limits });
    this.#line = stored === undefined ? undefined : encodeAssignment(stored);
  }

  /** Reads the store and begins to tick. Throws the system's error when it cannot be read. */
  static async start(options: AssignerDriveOptions): Promise<AssignerDrive> {
    const drive = new AssignerDrive(options, await options.store.read());
    drive.#ticking = setInterval(() => {
      drive.#tick();
    }, TICK_MS);
    return drive;
  }

  /** The newest Assignment as JSON. */
  get line(): string | undefined {
    return this.#line;
  }

  report(report: Report): ReportAnswer {
    this.heartbeats++;
    this.#feed({ kind: "report", report });
    return this.assigner.answer(report);
  }

  seen(assignment: Assignment): void {
    this.#feed({ kind: "seen", assignment });
  }

  drain(resource: string): void {
    this.#options.log.info(`${resource} shall be drained, an operator says`);
    this.#feed({ kind: "drain", resource });
  }

  rules(hash: string): void {
    this.#feed({ kind: "rules", hash });
  }

  watch(out: Writable): void {
    this.watchers.add(out, this.#line);
  }

  /** Ends the watching; writes under way are finished. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#ticking);
    this.watchers.close();
    await this.#store;
  }

  #tick(): void {
    const nowMs = this.#options.now();
    if (nowMs - this.#keptMs >= KEEP_ALIVE_MS) {
      this.#keptMs = nowMs;
      this.watchers.keepAlive();
    }
    this.#feed({ kind: "tick" });
  }

  #feed(event: AssignerEvent): void {
    if (this.#stopped) return;
    try {
      for (const action of this.assigner.handle(this.#options.now(), event)) this.#do(action);
    } catch (error) {
      this.#options.onBroken(error);
    }
  }

  #do(action: AssignerAction): void {
    switch (action.kind) {
      case "notice":
        this.#options.log[action.level](action.text);
        return;
      case "publish":
        return this.#publish(action.assignment, action.decisions);
      case "commit":
        return this.#afterStore(() => this.#commit(action.expected, action.assignment));
      case "read":
        return this.#afterStore(async () => ({ kind: "stored", stored: await this.#options.store.read() }));
    }
  }

  #afterStore(work: () => Promise<AssignerEvent>): void {
    this.#store = this.#store.then(async () => {
      let event: AssignerEvent;
      try {
        event = await work();
      } catch (error) {
        this.commits.failed++;
        event = { kind: "unwritten", message: error instanceof Error ? error.message : String(error) };
      }
      this.#feed(event);
    });
  }

  async #commit(expected: Generation | undefined, assignment: Assignment): Promise<AssignerEvent> {
    const written = await this.#options.store.write(expected, assignment);
    this.commits[written.ok ? "ok" : "conflict"]++;
    return written.ok ? { kind: "committed" } : { kind: "refused", stored: written.stored };
  }

  #publish(assignment: Assignment, decisions: readonly Decision[]): void {
    this.#line = encodeAssignment(assignment);
    this.watchers.send(this.#line);
    const generation = formatGeneration(assignment.generation);
    for (const decision of decisions) {
      if (decision.kind === "changed") this.moves[decision.reason] = (this.moves[decision.reason] ?? 0) + 1;
      else if (decision.kind === "aborted") this.movesAborted++;
    }
    this.told.push(...decisions.slice(-TOLD_MAX).map((decision) => ({ ...decision, generation })));
    this.told.splice(0, Math.max(0, this.told.length - TOLD_MAX));
    for (const { level, text } of summaries(decisions))
      this.#options.log[level](`generation ${generation}: ${text}`, `decided ${text.replace(/\d+/g, "#")}`);
  }
}

/** One line for all decisions of one kind between the same two. */
function summaries(decisions: readonly Decision[]): { readonly level: "info" | "warn"; readonly text: string }[] {
  const groups = new Map<string, Decision[]>();
  for (const decision of decisions) {
    const key = `${decision.kind} ${decision.reason} ${decision.from ?? ""} ${decision.to ?? ""}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [decision]);
    else group.push(decision);
  }
  return [...groups.values()].map((group) => {
    const { kind, reason, from, to, ...range } = group[0] ?? { kind: "changed", reason: "first", from: null, to: null, low: 0, high: 1 };
    const what = group.length === 1 ? `slice ${formatKeyRange(range)}` : counted(group.length, "slice");
    const how = { changed: "now at", moving: "moving to", aborted: "not moving to" }[kind];
    const text = `${what} ${how} ${to ?? "nobody"}${from === null ? "" : ` (from ${from})`}: ${MEANING[reason]}`;
    return { level: reason === "lost" && kind === "changed" ? "warn" : "info", text };
  });
}

const MEANING: Readonly<Record<Decision["reason"], string>> = {
  first: "given out for the first time",
  returned: "its state is back",
  serving: "found served there",
  drain: "its owner is leaving",
  balance: "to even out the load",
  held: "kept until its state comes back",
  lost: "its state is lost, it starts empty",
};
