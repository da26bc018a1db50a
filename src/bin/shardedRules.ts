// The rules of a process that gets them from the assigner: the first ones, newer ones when an Assignment names them, and fewer again
// once what changed with the newest is over.
//
//   assigner ─newest, and those before it while they matter─▶ versions ─rulesInForce─▶ follower ─every minute: what is over goes─┐
//   router ──a newer one, offered───────────────────────────▶     ▲──────────────────────────────────────────────────────────────┘
import { setTimeout as delay } from "node:timers/promises";
import type { Output } from "../aggregate/output.js";
import type { Rule } from "../aggregate/rule.js";
import {
  overAsOf,
  type ParsedVersion,
  parseRuleVersion,
  type RulesInForce,
  rulesInForce,
  type Versions,
  versionsOfKept,
} from "../aggregate/ruleVersions.js";
import type { SteadyClock } from "../base/clock.js";
import type { Log } from "../base/log.js";
import type { AssignerClient } from "../http/assignerClient.js";
import type { Assignment } from "../slice/assignment.js";
import type { RuleVersion } from "../slice/ruleVersion.js";
import type { Read } from "../slice/wire.js";

export interface ShardedRulesOptions {
  readonly assigner: Pick<AssignerClient, "rules" | "assignment" | "connected">;
  readonly outputs: ReadonlyMap<string, Output>;
  readonly naming: "telegraf" | "vmagent";
  readonly clock: Pick<SteadyClock, "now">;
  /** How long a declared backlog holds a Window. */
  readonly holdMs: number;
  readonly log: Log;
}

export interface RulesFollower {
  /** What is in force from now on. */
  onRules(rules: RulesInForce): void;
  onAssignment(assignment: Assignment): void;
  /** Whether all Windows of a rule in force that start before a time are closed here. Without: who follows has no Windows. */
  hasClosed?(rule: Rule, beforeMs: number): boolean;
}

const AGAIN_MS = 1000;
/** Seldom: the whole state goes through a snapshot each time, and routers learn their series anew. */
const EXPIRE_MS = 60_000;

/** Rules that an earlier process went by, newest first. */
export interface KeptRules {
  readonly rules: readonly RuleVersion[];
  /** When, ms. */
  readonly stoppedMs: number;
}

export class ShardedRules {
  readonly #options: ShardedRulesOptions;
  /** Hashes that have been in force here: batches that name them are understood. */
  readonly #known = new Set<string>();
  #inForce: RulesInForce | undefined;
  /** As of when it is in force: what was over then is not. */
  #asOfMs = Number.NEGATIVE_INFINITY;
  /** Hash that the newest Assignment names. */
  #named = "";
  /** There may be versions between those that are known. */
  #hasGaps = false;
  #follower: RulesFollower | undefined;
  #asking = false;
  #expiring: NodeJS.Timeout | undefined;

  constructor(options: ShardedRulesOptions) {
    this.#options = options;
  }

  has(hash: string): boolean {
    return this.#known.has(hash);
  }

  /** Those in force, newest first; none yet: empty. */
  get versions(): readonly RuleVersion[] {
    return this.#inForce?.versions.map(({ version }) => version) ?? [];
  }

  /**
   * Asks until there are some, or the process ends. `kept`: of an earlier process; what was in force then counts too, for its state may
   * have open Windows of it, and it is what to begin with while the assigner cannot be asked.
   */
  async first(kept?: KeptRules): Promise<RulesInForce> {
    const oldest = kept?.rules.at(-1)?.hash;
    for (;;) {
      const read = await this.#read(kept?.stoppedMs, oldest);
      const versions = typeof read === "string" && kept !== undefined ? this.#parseAll(kept.rules) : read;
      if (typeof versions !== "string") {
        if (kept === undefined) return this.#take(versions);
        const inForce = versionsOfKept(versions, { stoppedMs: kept.stoppedMs, oldest });
        return this.#take(inForce.versions, inForce.asOfMs);
      }
      this.#options.log.warn(`no rules yet: ${versions}`, "rules");
      // Alone it keeps no process alive: one that is told to stop while it waits has closed everything else.
      await delay(AGAIN_MS, undefined, { ref: false });
    }
  }

  /** From here on newer ones are taken over; the first ones, if they are there, at once. */
  follow(follower: RulesFollower): void {
    this.#follower = follower;
    if (this.#inForce !== undefined) follower.onRules(this.#inForce);
    this.#expiring ??= setInterval(() => {
      this.expire();
    }, EXPIRE_MS).unref();
  }

  /** An Assignment has come, which names the rules in force. */
  assignment(assignment: Assignment): void {
    if (this.#follower === undefined) return;
    this.#follower.onAssignment(assignment);
    this.#named = assignment.rules;
    if (this.#lacks) void this.catchUp();
  }

  /** Something newer is about: asks the assigner for it, one question at a time, and again while the rules that it names are lacking. */
  async catchUp(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    const { assigner, log } = this.#options;
    // While it is watched, Assignments come by themselves.
    const assignment = assigner.connected ? undefined : await assigner.assignment();
    if (assignment?.ok === true) this.assignment(assignment.value);
    if (this.#lacks) {
      const before = this.#inForce;
      const versions = await this.#read(this.#overAsOf());
      if (typeof versions === "string") log.warn(`the newest rules cannot be had: ${versions}`, "rules");
      else if (this.#inForce === before) {
        // Else a router was faster, perhaps with newer ones: it is asked again.
        this.#hasGaps = false;
        this.#take(versions);
      }
    }
    this.#asking = false;
    if (this.#lacks) setTimeout(() => void this.catchUp(), AGAIN_MS).unref();
  }

  /** State of rules has been seen that are not in force here: what is known of the versions may not be all. */
  seemsIncomplete(): void {
    this.#hasGaps = true;
    void this.catchUp();
  }

  /**
   * A router hands its rules over, because a batch named rules that were not known here. An older version is only known from then on:
   * what is in force stays. What is wrong with it; undefined: nothing.
   */
  offer(version: RuleVersion): string | undefined {
    const before = this.#inForce?.versions ?? [];
    const [newest] = before;
    if (newest !== undefined && version.activeFromMs <= newest.version.activeFromMs) {
      this.#known.add(version.hash);
      return undefined;
    }
    const parsed = parseRuleVersion(version, this.#options);
    if (typeof parsed === "string") return parsed;
    this.#take([parsed, ...before]);
    if (version.previous !== newest?.version.hash) this.seemsIncomplete();
    return undefined;
  }

  /** Not while the first ones are waited for. */
  get #lacks(): boolean {
    if (this.#inForce === undefined) return false;
    return this.#hasGaps || (this.#named !== "" && this.#named !== this.#inForce.versions[0].version.hash);
  }

  #take(versions: Versions, asOfMs = this.#overAsOf()): RulesInForce {
    const before = this.#inForce;
    const inForce = rulesInForce(versions, asOfMs, this.#options.holdMs);
    for (const { version } of inForce.versions) this.#known.add(version.hash);
    if (before !== undefined && hashesOf(before) === hashesOf(inForce)) return before;
    return this.#goOnWith(inForce, asOfMs);
  }

  #goOnWith(inForce: RulesInForce, asOfMs: number): RulesInForce {
    this.#inForce = inForce;
    this.#asOfMs = asOfMs;
    this.#follower?.onRules(inForce);
    return inForce;
  }

  /** Rules go that no Window is open of any more, and versions that nothing is open of. */
  expire(): void {
    const before = this.#inForce;
    if (before === undefined || before.versions.length === 1) return;
    const asOfMs = this.#overAsOf();
    const next = rulesInForce(before.versions, asOfMs, this.#options.holdMs);
    if (next.rules.length === before.rules.length && next.versions.length === before.versions.length) return;
    this.#goOnWith(next, asOfMs);
  }

  #overAsOf(): number {
    const { clock, holdMs } = this.#options;
    const times = { nowMs: clock.now(), beforeMs: this.#asOfMs, holdMs };
    const hasClosed = (rule: Rule, ms: number): boolean => this.#follower?.hasClosed?.(rule, ms) ?? true;
    return this.#inForce === undefined ? times.nowMs : overAsOf(this.#inForce, times, hasClosed);
  }

  /** The newest version and those before it that something is still open of, back to `oldest` at least; or why there are none. */
  async #read(nowMs = this.#options.clock.now(), oldest?: string): Promise<Versions | string> {
    const { assigner, holdMs, log } = this.#options;
    const read = await assigner.rules();
    if (!read.ok) return read.error;
    const newest = this.#parse(read.value);
    if (typeof newest === "string") return newest;
    const older: ParsedVersion[] = [];
    for (let hash = read.value.previous; hash !== undefined; hash = older.at(-1)?.version.previous) {
      const found = await this.#version(hash);
      if (!found.ok) return `version ${hash}: ${found.error}`;
      const previous = this.#parse(found.value);
      if (typeof previous === "string") {
        log.warn(`rules ${hash}, which were in force before, are not understood any more: ${previous}; their open windows are lost`, "rules");
        break;
      }
      const hasTime = [newest, ...older].every(({ version }) => previous.version.activeFromMs < version.activeFromMs);
      older.push(previous);
      const isFar = oldest === undefined || [newest, ...older].some(({ version }) => version.hash === oldest);
      if (hasTime && isFar && !rulesInForce([newest, ...older], nowMs, holdMs).versions.includes(previous)) break;
    }
    return [newest, ...older];
  }

  async #version(hash: string): Promise<Read<RuleVersion>> {
    const known = this.versions.find((version) => version.hash === hash);
    return known === undefined ? this.#options.assigner.rules(hash) : { ok: true, value: known };
  }

  #parseAll([newest, ...older]: readonly RuleVersion[]): Versions | string {
    const first = newest === undefined ? "none are kept" : this.#parse(newest);
    if (typeof first === "string") return first;
    const versions: [ParsedVersion, ...ParsedVersion[]] = [first];
    for (const version of older) {
      const parsed = this.#parse(version);
      if (typeof parsed === "string") return parsed;
      versions.push(parsed);
    }
    return versions;
  }

  #parse(version: RuleVersion): ParsedVersion | string {
    const known = this.#inForce?.versions.find(({ version: { hash } }) => hash === version.hash);
    return known ?? parseRuleVersion(version, this.#options);
  }
}

function hashesOf({ versions }: RulesInForce): string {
  return versions.map(({ version }) => version.hash).join();
}
