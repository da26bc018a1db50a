// What is done to a cluster on purpose while it runs, one change after the other, each said in a line.
//
//   none             one planned restart, PLANNED_AFTER_MS after the start: another aggregator joins, one hands on its slices and leaves
//   rolling-restart  the same for each in turn, again and again
//   scale            two more, and when they have got slices those leave again, again and again
import { setTimeout as delay } from "node:timers/promises";
import type { Cluster, Member } from "./cluster.js";

export const chaosKinds = ["none", "rolling-restart", "scale"] as const;
export type ChaosKind = (typeof chaosKinds)[number];

export interface ChaosTarget {
  readonly cluster: Cluster;
  /** The process behind `old` is gone: who posted there posts to `other` from now on. */
  readonly turn: (old: Member, other: Member) => void;
  readonly say: (event: string) => void;
}

const PLANNED_AFTER_MS = 15_000;
const FIRST_AFTER_MS = 2_000;
const BETWEEN_MS = 1_500;
const GROWN_FOR_MS = 8_000;
const GROWN_WAIT_MS = 60_000;
const LOOK_MS = 500;

export class Chaos {
  readonly #target: ChaosTarget;
  readonly #stopping = new AbortController();
  /** Settles when the change under way is over after stop(); rejects with what went wrong. */
  readonly done: Promise<void>;

  constructor(kind: ChaosKind, target: ChaosTarget) {
    this.#target = target;
    this.done = this.#run(kind);
    // Whoever runs it waits for it in a race; that is no time to be unhandled.
    this.done.catch(() => undefined);
  }

  /** Begins nothing more; `done` tells when the last change is over. */
  stop(): void {
    this.#stopping.abort();
  }

  async #run(kind: ChaosKind): Promise<void> {
    if (kind === "none") {
      this.#target.say(`a planned restart comes ${String(PLANNED_AFTER_MS / 1000)} s after the start`);
      if (await this.#wait(PLANNED_AFTER_MS)) await this.#restart(this.#target.cluster.running()[0], "planned restart");
      return;
    }
    if (!(await this.#wait(FIRST_AFTER_MS))) return;
    do {
      if (kind === "scale") await this.#scale();
      else await this.#restart(this.#target.cluster.running()[0], "rolling restart");
    } while (await this.#wait(BETWEEN_MS));
  }

  /** With surge: the new one is there before the old one goes. The oldest goes first. */
  async #restart(old: Member | undefined, why: string): Promise<void> {
    const { cluster, turn, say } = this.#target;
    if (old === undefined) return;
    say(`${why}: one joins, then ${old.name} leaves`);
    const fresh = await cluster.add();
    await this.#remove(old, why);
    turn(old, fresh);
  }

  async #scale(): Promise<void> {
    const { cluster, turn, say } = this.#target;
    say("scale: two more aggregators start");
    const grown = [await cluster.add(), await cluster.add()];
    say(`scale: ${grown.map(({ name }) => name).join(", ")} wait for slices`);
    const own = ({ url }: Member): boolean => (cluster.view?.resources.find(({ address }) => address === url)?.slices ?? 0) > 0;
    // The assigner lets a newcomer stand for a while: it may be there for one that is about to go.
    for (let ms = 0; ms < GROWN_WAIT_MS && !grown.every(own); ms += LOOK_MS) if (!(await this.#wait(LOOK_MS))) break;
    say(`scale: ${grown.map(({ name }) => name).join(", ")} ${grown.every(own) ? "get slices" : "got none yet"}`);
    await this.#wait(GROWN_FOR_MS);
    for (const member of grown) {
      await this.#remove(member, "scale");
      const [other] = cluster.running();
      if (other !== undefined) turn(member, other);
    }
  }

  async #remove(member: Member, why: string): Promise<void> {
    const { cluster, say } = this.#target;
    say(`${why}: ${member.name} hands on its slices`);
    const sinceMs = performance.now();
    await cluster.remove(member);
    const { moves_out = 0, pauses_ms = [] } = member.ledger ?? {};
    const seconds = ((performance.now() - sinceMs) / 1000).toFixed(1);
    const longest = Math.max(0, ...pauses_ms).toFixed(0);
    say(`${member.name} left: ${String(moves_out)} slices in ${seconds} s, paused ≤ ${longest} ms`);
  }

  /** False: it is over. */
  async #wait(ms: number): Promise<boolean> {
    await delay(ms, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
    return !this.#stopping.signal.aborted;
  }
}
