// The simulator over the real engine: routers put line protocol through the real partition, and what must come of it is what one engine
// makes of the same lines, each series' own in the order in which its sender sent them.
import { Engine } from "#limpet/aggregate/engine.js";
import { LineDocument } from "#limpet/aggregate/lineDocument.js";
import { Partition } from "#limpet/aggregate/partition.js";
import type { Rule } from "#limpet/aggregate/rule.js";
import { rulesInForce } from "#limpet/aggregate/ruleVersions.js";
import { RowReader } from "#limpet/metric/rowBlock.js";
import type { Clerk } from "#limpet/route/clerk.js";
import type { RouterRules } from "#limpet/route/router.js";
import { formatGeneration } from "#limpet/slice/generation.js";
import type { Cluster } from "./cluster.js";
import { outputs, versionsFrom } from "./engineRules.js";
import { EngineState } from "./engineState.js";
import type { Disk, LaneLines, Matter, NodeInput } from "./matter.js";
import { HOLD_MS, type ModelRow } from "./modelHoldings.js";
import { Senders } from "./senders.js";

const MEMORY_BYTES = 2 ** 25;
/** All intervals divide it. */
const INTERVALS_MS = 2000;

export class EngineMatter implements Matter {
  readonly #cluster: Cluster;
  /** By name of the router that they send to. */
  readonly #senders = new Map<string, Senders>();
  readonly #series: string[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #lines: string[] = [];

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  state(known: readonly number[], disk?: Disk): EngineState {
    const { world, versions, notices } = this.#cluster;
    // In life a process waits for its first rules before it does anything; they do not change while it does.
    return new EngineState({ world, versions: known.length > 0 ? known : versions, say: (message) => notices.push(message), disk });
  }

  input(name: string): NodeInput {
    let senders = this.#senders.get(name);
    if (senders === undefined) {
      senders = new Senders(this.#cluster.world, this.#senders.size);
      this.#senders.set(name, senders);
    }
    return new EngineInput(this.#cluster, senders, this.#lines);
  }

  rowOf(reader: RowReader): ModelRow {
    const { name, labels, timestamp, value } = reader.row();
    return { key: this.#numberOf(`${name} ${JSON.stringify(labels)}`), endMs: timestamp, value: textOf(value, reader.startMs) };
  }

  differences(): string[] {
    const expected = this.#expected();
    const wrong: string[] = [];
    let count = 0;
    for (const [key, windows] of expected)
      for (const [endMs, value] of windows) {
        count++;
        const got = this.#cluster.tsdb.stored.get(key)?.get(endMs);
        if (got !== value) wrong.push(`${this.#series[key] ?? ""} at ${String(endMs)}: ${got ?? "nothing"} stored, ${value} expected`);
      }
    // Totals go on after the last line; a replay ends with it.
    const lastMs = Math.max(...[...expected.values()].flatMap((windows) => [...windows.keys()]));
    for (const [key, windows] of this.#cluster.tsdb.stored)
      for (const [endMs, value] of windows)
        if (endMs <= lastMs - INTERVALS_MS && expected.get(key)?.has(endMs) !== true)
          wrong.push(`${this.#series[key] ?? ""} at ${String(endMs)}: ${value} stored, nothing expected`);
    return count === 0 ? ["no row was expected"] : wrong;
  }

  /** What one engine makes of all lines. */
  #expected(): Map<number, Map<number, string>> {
    const { rules } = rulesInForce(versionsFrom(this.#cluster.versions), Number.NEGATIVE_INFINITY, HOLD_MS);
    const startMs = Number.NEGATIVE_INFINITY;
    const engine = new Engine({ rules, outputs, naming: "telegraf", startMs, maxFutureMs: 60_000, memoryBytesMax: MEMORY_BYTES });
    const rows = new Map<number, Map<number, string>>();
    engine.feed(0, Buffer.from(this.#lines.join("")), true);
    for (const action of engine.step(0, { kind: "finish" })) {
      if (action.kind !== "rows") continue;
      const reader = new RowReader(action.block.bytes);
      while (reader.next()) {
        const { key, endMs, value } = this.rowOf(reader);
        const windows = rows.get(key) ?? new Map<number, string>();
        windows.set(endMs, value);
        rows.set(key, windows);
      }
    }
    engine.dispose();
    return rows;
  }

  #numberOf(series: string): number {
    let number = this.#numbers.get(series);
    if (number === undefined) {
      number = this.#series.push(series) - 1;
      this.#numbers.set(series, number);
    }
    return number;
  }
}

function textOf(value: number, startMs: number): string {
  return startMs === 0 ? String(value) : `${String(value)} from ${String(startMs)}`;
}

/** As drive/routerDriver.ts has it. */
class EngineInput implements NodeInput {
  readonly #cluster: Cluster;
  readonly #senders: Senders;
  /** All that was sent, in order. */
  readonly #sent: string[];
  #partition: Partition | undefined;
  #generation = "";

  constructor(cluster: Cluster, senders: Senders, sent: string[]) {
    this.#cluster = cluster;
    this.#senders = senders;
    this.#sent = sent;
  }

  useRules(versions: readonly number[], clerk: Clerk): RouterRules {
    const { rules } = rulesInForce(versionsFrom(versions), this.#cluster.world.nowMs, HOLD_MS);
    const before = this.#partition;
    this.#partition = new Partition({ rules, outputs, naming: "telegraf", memoryBytesMax: MEMORY_BYTES, holdMs: HOLD_MS });
    if (before !== undefined) this.#partition.succeed(before);
    before?.dispose();
    this.#generation = "";
    this.divide(clerk);
    return { hash: String(versions.length), ...timesOf(rules) };
  }

  divide({ generation, routes, table }: Clerk): void {
    if (routes.length === 0 || formatGeneration(generation) === this.#generation) return;
    this.#generation = formatGeneration(generation);
    this.#partition?.divide(table, routes.length);
  }

  lines(clerk: Clerk): LaneLines[] {
    const partition = this.#partition;
    if (partition === undefined) throw new Error("lines before the rules");
    const text = this.#senders.send();
    this.#sent.push(text);
    const document = new LineDocument(Buffer.from(text));
    while (!document.done) partition.read(this.#cluster.world.nowMs, document);
    return partition.take().map(({ lane, ...piece }) => ({ lane: clerk.routes[lane]?.address ?? "", piece }));
  }

  dispose(): void {
    this.#partition?.dispose();
    this.#partition = undefined;
  }
}

function timesOf(rules: readonly Rule[]): Omit<RouterRules, "hash"> {
  return {
    intervalMsMin: Math.min(...rules.map(({ intervalMs }) => intervalMs)),
    openMsMax: Math.max(...rules.map(({ intervalMs, graceMs }) => intervalMs + graceMs)),
  };
}
