// Everybody who watches: one line at once, one for every change, an empty one now and then. A watcher that does not read keeps at
// most the line it is being sent and the newest after it: what lies between is of no use to it. One that reads nothing for too long
// is cut off and comes again.
//
//   following ──write() says full──▶ full (newest kept) ──drain──▶ following
//                                      └──STALL_MS──▶ dropped
import type { Writable } from "node:stream";

interface Watcher {
  readonly out: Writable;
  /** Since when it does not read, ms; undefined: it does. */
  fullMs: number | undefined;
  /** To be written when it reads again. */
  newest: string | undefined;
}

const STALL_MS = 10_000;

export class Watchers {
  readonly #watchers = new Set<Watcher>();
  readonly #now: () => number;
  readonly #countMax: number;
  /** Cut off because they did not read. */
  dropped = 0;

  /** `now`: ms, only differences count. */
  constructor(now: () => number, countMax: number) {
    this.#now = now;
    this.#countMax = countMax;
  }

  get size(): number {
    return this.#watchers.size;
  }

  get full(): boolean {
    return this.#watchers.size >= this.#countMax;
  }

  /** `first`: the line to begin with; undefined: there is none yet. */
  add(out: Writable, first: string | undefined): void {
    const watcher: Watcher = { out, fullMs: undefined, newest: undefined };
    this.#watchers.add(watcher);
    out.on("close", () => this.#watchers.delete(watcher));
    // The other end went away: close follows.
    out.on("error", () => undefined);
    out.on("drain", () => {
      watcher.fullMs = undefined;
      const { newest } = watcher;
      watcher.newest = undefined;
      if (newest !== undefined) this.#write(watcher, newest);
    });
    this.#write(watcher, first === undefined ? "\n" : `${first}\n`);
  }

  /** A line without its newline. */
  send(line: string): void {
    for (const watcher of this.#watchers) {
      if (watcher.fullMs === undefined) this.#write(watcher, `${line}\n`);
      else watcher.newest = `${line}\n`;
    }
  }

  /** An empty line: the connection lives. Also where stalled ones are noticed. */
  keepAlive(): void {
    const nowMs = this.#now();
    for (const watcher of this.#watchers) {
      if (watcher.fullMs === undefined) this.#write(watcher, "\n");
      else if (nowMs - watcher.fullMs > STALL_MS) {
        this.dropped++;
        watcher.out.destroy();
      }
    }
  }

  close(): void {
    for (const { out } of this.#watchers) out.end();
  }

  #write(watcher: Watcher, text: string): void {
    if (!watcher.out.write(text)) watcher.fullMs = this.#now();
  }
}
