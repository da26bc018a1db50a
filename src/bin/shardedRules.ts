// The rules of a process that gets them from the assigner: the first ones, and newer ones when an Assignment names them.
import { setTimeout as delay } from "node:timers/promises";
import type { Output } from "../aggregate/output.js";
import { type ParsedVersion, parseRuleVersion } from "../aggregate/ruleVersions.js";
import type { Log } from "../base/log.js";
import type { AssignerClient } from "../http/assignerClient.js";
import type { Assignment } from "../slice/assignment.js";
import type { RuleVersion } from "../slice/ruleVersion.js";

export interface ShardedRulesOptions {
  readonly assigner: Pick<AssignerClient, "rules" | "assignment" | "connected">;
  readonly outputs: ReadonlyMap<string, Output>;
  readonly naming: "telegraf" | "vmagent";
  readonly log: Log;
}

export interface RulesFollower {
  onRules(parsed: ParsedVersion): void;
  onAssignment(assignment: Assignment): void;
}

const AGAIN_MS = 1000;

export class ShardedRules {
  readonly #options: ShardedRulesOptions;
  /** Hashes that have been in force here: batches that name them are understood. */
  readonly #known = new Set<string>();
  #current = "";
  /** By the newest Assignment. */
  #named = "";
  #activeFromMs = Number.NEGATIVE_INFINITY;
  #first: ParsedVersion | undefined;
  #follower: RulesFollower | undefined;
  #asking = false;

  constructor(options: ShardedRulesOptions) {
    this.#options = options;
  }

  has(hash: string): boolean {
    return this.#known.has(hash);
  }

  /** Asks until there are some, or the process ends. */
  async first(): Promise<ParsedVersion> {
    for (;;) {
      const parsed = await this.#read();
      if (typeof parsed !== "string") {
        this.#first = parsed;
        if (this.#follower !== undefined) this.#take(parsed);
        return parsed;
      }
      this.#options.log.warn(`no rules yet: ${parsed}`, "rules");
      // Alone it keeps no process alive: one that is told to stop while it waits has closed everything else.
      await delay(AGAIN_MS, undefined, { ref: false });
    }
  }

  /** From here on newer ones are taken over; the first ones, if they are there, at once. */
  follow(follower: RulesFollower): void {
    this.#follower = follower;
    if (this.#first !== undefined) this.#take(this.#first);
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
      const parsed = await this.#read();
      if (typeof parsed === "string") log.warn(`the newest rules cannot be had: ${parsed}`, "rules");
      else this.#take(parsed);
    }
    this.#asking = false;
    if (this.#lacks) setTimeout(() => void this.catchUp(), AGAIN_MS).unref();
  }

  /** Not while the first ones are waited for. */
  get #lacks(): boolean {
    return this.#current !== "" && this.#named !== "" && this.#named !== this.#current;
  }

  /**
   * A router hands its rules over, because a batch named rules that were not known here. An older version is only known from then on:
   * what is in force stays. What is wrong with it; undefined: nothing.
   */
  offer(version: RuleVersion): string | undefined {
    if (version.activeFromMs <= this.#activeFromMs) {
      this.#known.add(version.hash);
      return undefined;
    }
    const parsed = parseRuleVersion(version, this.#options);
    if (typeof parsed === "string") return parsed;
    this.#take(parsed);
    return undefined;
  }

  #take(parsed: ParsedVersion): void {
    const { hash, activeFromMs } = parsed.version;
    if (hash === this.#current) return;
    this.#follower?.onRules(parsed);
    this.#current = hash;
    this.#activeFromMs = activeFromMs;
    this.#known.add(hash);
  }

  /** The newest rules, or why there are none. */
  async #read(): Promise<ParsedVersion | string> {
    const read = await this.#options.assigner.rules();
    return read.ok ? parseRuleVersion(read.value, this.#options) : read.error;
  }
}
