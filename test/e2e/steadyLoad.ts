// Lines of all series at a steady rate, posted to several doors as a fleet of Telegrafs would: each pod's series keep their door, and what
// a door has not taken is kept and posted again, before anything newer.
import { setTimeout as delay } from "node:timers/promises";
import type { Host } from "./host.js";

/** Two rules over what SteadyLoad sends: counters with resets, and gauges that are latencies too. `interval`, `grace`: as rules say it, "2s". */
export function steadyRules(interval: string, grace: string): string {
  const often = `interval: ${interval}, grace: ${grace}`;
  return `
- { name: counters, match: http_requests, ${often}, by: [service], outputs: [total, increase], first_sample: zero }
- { name: gauges, match: latency_ms, ${often}, without: [pod], outputs: [sum_samples, count_samples, min, max, "quantiles(0.5, 0.9)"] }
`;
}

export interface SteadyLoadOptions {
  readonly services?: number;
  /** Between two posts to a door, ms. */
  readonly tickMs?: number;
  /** Pods whose lines go to each door; each pod sends two lines per service and tick. */
  readonly podsPerDoor?: number;
}

export class SteadyLoad {
  /** What was posted, each body once, in the order of each door. */
  readonly sent: string[] = [];
  /** Where the lines go now; to be changed when one has gone. */
  readonly doors: Host[];
  readonly services: number;
  readonly #tickMs: number;
  readonly #podsPerDoor: number;
  readonly #done: Promise<unknown>;
  #running = true;
  lines = 0;
  /** Newest event time that was sent. */
  lastMs = 0;

  constructor(doors: readonly Host[], { services = 40, tickMs = 100, podsPerDoor = 1 }: SteadyLoadOptions = {}) {
    this.doors = [...doors];
    this.services = services;
    this.#tickMs = tickMs;
    this.#podsPerDoor = podsPerDoor;
    this.#done = Promise.all(this.doors.map((_, door) => this.#run(door)));
  }

  async stop(): Promise<void> {
    this.#running = false;
    await this.#done;
  }

  async #run(door: number): Promise<void> {
    const startMs = performance.now();
    for (let tick = 1; this.#running; tick++) {
      await this.#post(door, tick);
      // Not a pause: a door that was away for a while is caught up with.
      await delay(Math.max(1, startMs + tick * this.#tickMs - performance.now()));
    }
  }

  async #post(door: number, tick: number): Promise<void> {
    const nowMs = Date.now();
    this.lastMs = Math.max(this.lastMs, nowMs);
    const lines: string[] = [];
    for (let i = 0; i < this.#podsPerDoor; i++) {
      const pod = door * this.#podsPerDoor + i;
      for (let service = 0; service < this.services; service++) {
        const tags = `service=s${String(service)},pod=p${String(pod)}`;
        // A counter that starts anew every 5 s or so, each pod at another time.
        const count = (tick + pod * 17) % (50 + pod);
        lines.push(`http_requests,${tags} value=${String(count)} ${String(nowMs)}000000`);
        lines.push(`latency_ms,${tags} value=${String(((tick * 7 + service * 13 + pod) % 97) / 8)} ${String(nowMs)}000000`);
      }
    }
    this.lines += lines.length;
    const body = `${lines.join("\n")}\n`;
    this.sent.push(body);
    while (!(await isTaken(this.doors[door], body))) await delay(50);
  }
}

async function isTaken(door: Host | undefined, body: string): Promise<boolean> {
  return fetch(`${door?.url("") ?? ""}api/v2/write?bucket=b`, { method: "POST", body }).then(
    async (answer) => {
      await answer.text();
      return answer.status === 204;
    },
    () => false,
  );
}
