// The rules of an aggregator that gets them from the assigner: the first ones, and newer ones when an Assignment names them.
import { setTimeout as delay } from "node:timers/promises";
import type { Output } from "../aggregate/output.js";
import type { Rule } from "../aggregate/rule.js";
import { readRules } from "../aggregate/ruleFile.js";
import { formatProblem } from "../aggregate/ruleFileProblem.js";
import type { Log } from "../base/log.js";
import type { AssignerClient } from "../http/assignerClient.js";
import type { Assignment } from "../slice/assignment.js";
import type { RuleVersion } from "../slice/ruleVersion.js";

export interface ShardedRulesOptions {
  readonly assigner: Pick<AssignerClient, "rules" | "assignment">;
  readonly outputs: ReadonlyMap<string, Output>;
  readonly naming: "telegraf" | "vmagent";
  readonly log: Log;
}

export interface ParsedRules {
  readonly version: RuleVersion;
  readonly rules: readonly Rule[];
}

export interface RulesFollower {
  onRules(version: RuleVersion, rules: readonly Rule[]): void;
  onAssignment(assignment: Assignment): void;
}

const AGAIN_MS = 1000;

export class ShardedRules {
  readonly #options: ShardedRulesOptions;
  /** Hashes that have been in force here: batches that name them are understood. */
  readonly #known = new Set<string>();
  #current = "";
  #activeFromMs = Number.NEGATIVE_INFINITY;
  #first: ParsedRules | undefined;
  #follower: RulesFollower | undefined;
  #asking = false;

  constructor(options: ShardedRulesOptions) {
    this.#options = options;
  }

  has(hash: string): boolean {
    return this.#known.has(hash);
  }

  /** Asks until there are some, or the process ends. */
  async first(): Promise<ParsedRules> {
    for (;;) {
      const parsed = await this.#read();
      if (typeof parsed !== "string") {
        this.#first = parsed;
        return parsed;
      }
      this.#options.log.warn(`no rules yet: ${parsed}`, "rules");
      // Alone it keeps no process alive: one that is told to stop while it waits has closed everything else.
      await delay(AGAIN_MS, undefined, { ref: false });
    }
  }

  /** From here on newer ones are taken over; the first ones at once. */
  follow(follower: RulesFollower): void {
    this.#follower = follower;
    if (this.#first !== undefined) this.#take(this.#first);
  }

  /** An Assignment names the rules in force. */
  named(hash: string): void {
    if (hash !== this.#current) void this.catchUp();
  }

  /** Asks the assigner for what is newest; one question at a time. */
  async catchUp(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    const { assigner, log } = this.#options;
    const assignment = await assigner.assignment();
    if (assignment.ok) this.#follower?.onAssignment(assignment.value);
    if (assignment.ok && assignment.value.rules !== this.#current) {
      const parsed = await this.#read();
      if (typeof parsed === "string") log.warn(`the newest rules cannot be had: ${parsed}`, "rules");
      else this.#take(parsed);
    }
    this.#asking = false;
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
    const parsed = this.#parse(version);
    if (typeof parsed === "string") return parsed;
    this.#take(parsed);
    return undefined;
  }

  #take({ version, rules }: ParsedRules): void {
    if (version.hash === this.#current) return;
    this.#follower?.onRules(version, rules);
    this.#current = version.hash;
    this.#activeFromMs = version.activeFromMs;
    this.#known.add(version.hash);
  }

  /** The newest rules, or why there are none. */
  async #read(): Promise<ParsedRules | string> {
    const read = await this.#options.assigner.rules();
    return read.ok ? this.#parse(read.value) : read.error;
  }

  #parse(version: RuleVersion): ParsedRules | string {
    const { outputs, naming } = this.#options;
    const files = version.files.map(({ path, text }) => ({ name: path, text }));
    const { rules, problems } = readRules(files, { outputs, env: {}, naming });
    const error = problems.find(({ severity }) => severity === "error");
    return error === undefined ? { version, rules } : formatProblem(error);
  }
}
