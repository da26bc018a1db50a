// The simulator over the model of state: lines are `KEY TIME_MS ID`, and what must come of them is counted here as they are sent.
import type { RowReader } from "#limpet/metric/rowBlock.js";
import type { Clerk } from "#limpet/route/clerk.js";
import type { RouterRules } from "#limpet/route/router.js";
import { KEY_END } from "#limpet/slice/keyRange.js";
import type { Cluster } from "./cluster.js";
import type { Disk, LaneLines, Matter, NodeInput } from "./matter.js";
import { GRACE_MS, isMatched, ModelHoldings, type ModelRow, versionAt, WINDOW_MS } from "./modelHoldings.js";

const KEYS = 30;

export class ModelMatter implements Matter {
  readonly #cluster: Cluster;
  readonly #keys: readonly number[];
  readonly #sent = new Map<number, Map<number, { count: number; ids: number }>>();
  #id = 0;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    this.#keys = Array.from({ length: KEYS }, () => cluster.world.pick(KEY_END));
  }

  state(versions: readonly number[], disk?: Disk): ModelHoldings {
    return new ModelHoldings(this.#cluster.rules, versions, disk);
  }

  input(): NodeInput {
    return {
      useRules: (versions): RouterRules => ({ hash: String(versions.length), intervalMsMin: WINDOW_MS, openMsMax: WINDOW_MS + GRACE_MS }),
      divide: () => undefined,
      dispose: () => undefined,
      lines: (clerk) => this.#lines(clerk),
    };
  }

  rowOf(reader: RowReader): ModelRow {
    const { labels, timestamp, value } = reader.row();
    return { key: Number(labels["key"]), endMs: timestamp, value: this.#cluster.tsdb.valueOf(value) };
  }

  #lines(clerk: Clerk): LaneLines[] {
    const pieces = new Map<number, string[]>();
    let oldestMs = Number.POSITIVE_INFINITY;
    for (let i = 1 + this.#cluster.world.pick(4); i > 0; i--) {
      const line = this.#line();
      oldestMs = Math.min(oldestMs, line.timeMs);
      const route = clerk.routeOf(line.key);
      pieces.set(route, [...(pieces.get(route) ?? []), line.text]);
    }
    return [...pieces].map(([route, lines]) => ({
      lane: clerk.routes[route]?.address ?? "",
      piece: { body: Buffer.from(lines.join("")), lines: lines.length, oldestMs },
    }));
  }

  /** One line, of now or a moment ago. */
  #line(): { readonly key: number; readonly timeMs: number; readonly text: string } {
    const { world, versions } = this.#cluster;
    const key = this.#keys[Math.min(world.pick(KEYS), world.pick(KEYS))] ?? 0;
    const timeMs = world.nowMs - world.pick(300);
    const id = ++this.#id;
    const start = Math.floor(timeMs / WINDOW_MS) * WINDOW_MS;
    if (isMatched(id, versionAt(versions, start))) this.#expect(key, start, id);
    return { key, timeMs, text: `${String(key)} ${String(timeMs)} ${String(id)}\n` };
  }

  #expect(key: number, start: number, id: number): void {
    let windows = this.#sent.get(key);
    if (windows === undefined) {
      windows = new Map();
      this.#sent.set(key, windows);
    }
    const { count, ids } = windows.get(start) ?? { count: 0, ids: 0 };
    windows.set(start, { count: count + 1, ids: ids + id });
  }

  differences(): string[] {
    const { tsdb, versions } = this.#cluster;
    const wrong: string[] = [];
    for (const [key, windows] of this.#sent) {
      let total = 0;
      let version = 0;
      const stored = tsdb.stored.get(key);
      for (const [start, { count, ids }] of [...windows].toSorted(([a], [b]) => a - b)) {
        const before = version;
        version = versionAt(versions, start);
        total = (version === before ? total : 0) + count;
        const value = `${String(count)}/${String(ids)}/${String(total)}`;
        const got = stored?.get(start + WINDOW_MS);
        if (got !== value) wrong.push(`series ${String(key)} at ${String(start + WINDOW_MS)}: ${got ?? "nothing"} stored, ${value} expected`);
      }
      if (stored !== undefined && stored.size > windows.size)
        wrong.push(`series ${String(key)}: ${String(stored.size - windows.size)} rows nobody asked for`);
    }
    return wrong;
  }
}
