// What a simulated aggregator holds when it is the real thing: an engine under EngineHoldings, with the rules in force, which it goes
// over to and from through a snapshot as bin/sharded.ts has it (drive/aggregator.ts, without its timers and sinks).
import { hasClosed } from "#limpet/aggregate/due.js";
import { Engine, type EngineOptions } from "#limpet/aggregate/engine.js";
import { overAsOf, type RulesInForce, rulesInForce, versionsOfKept } from "#limpet/aggregate/ruleVersions.js";
import { takeSnapshot } from "#limpet/aggregate/snapshot.js";
import type { OutboxBlock } from "#limpet/aggregate/snapshotHeader.js";
import { SteadyClock } from "#limpet/base/clock.js";
import { createLog } from "#limpet/base/log.js";
import { Aggregator } from "#limpet/drive/aggregator.js";
import { EngineHoldings } from "#limpet/drive/engineHoldings.js";
import { restoreKept } from "#limpet/drive/keptState.js";
import { type Generation, NO_GENERATION, parseGeneration } from "#limpet/slice/generation.js";
import { type KeyRange, WHOLE } from "#limpet/slice/keyRange.js";
import type { CopyNumber, Outbox } from "#limpet/slicelet/holdings.js";
import { outputs, versionsFrom } from "./engineRules.js";
import type { Disk, NodeState } from "./matter.js";
import { HOLD_MS } from "./modelHoldings.js";
import { type PlainBlock, plain, type SimSink, unplain } from "./sink.js";
import type { World } from "./world.js";

/** How often what is over of the rules goes; a minute in life. */
const EXPIRE_MS = 5000;
/** Rows, groups and series of a few dozen senders. */
const MEMORY_BYTES = 2 ** 25;

export interface EngineNode {
  readonly world: World;
  readonly versions: readonly number[];
  readonly say: (message: string) => void;
  readonly disk: Disk | undefined;
}

interface Kept {
  readonly snapshot: Uint8Array;
  /** Hash of the oldest version in force. */
  readonly oldest: string | undefined;
}

export class EngineState extends EngineHoldings implements NodeState {
  readonly #world: World;
  readonly #aggregator: Aggregator;
  readonly #need: { isLacking: boolean };
  #versions: readonly number[];
  #inForce: RulesInForce;
  #asOfMs: number;
  #expiredMs: number;

  constructor({ world, versions, say, disk }: EngineNode) {
    const now = (): number => world.nowMs;
    // What keep() put there.
    const kept = disk?.content as Kept | undefined;
    const all = versionsFrom(versions);
    const begin = disk === undefined ? { versions: all, asOfMs: now() } : versionsOfKept(all, { stoppedMs: disk.stoppedMs, oldest: kept?.oldest });
    const inForce = rulesInForce(begin.versions, begin.asOfMs, HOLD_MS);
    const engine = openEngine(inForce.rules, now());
    if (kept !== undefined) restoreKept(engine, kept.snapshot);
    const aggregator = new Aggregator({
      engine,
      sinks: [],
      log: createLog({ mode: "serve", now, write: () => undefined }),
      clock: new SteadyClock({ wall: now, monotonic: now }),
      checkpoint: undefined,
      onBroken: (error) => {
        throw error;
      },
    });
    const need = { isLacking: false };
    super({
      engine: () => aggregator.engine,
      now,
      warn: say,
      onForgotten: () => {
        need.isLacking = true;
      },
      // The node knows what it serves.
      kept: disk && { stoppedMs: disk.stoppedMs, onServed: () => undefined, onRange: () => undefined },
    });
    this.#world = world;
    this.#aggregator = aggregator;
    this.#need = need;
    this.#versions = versions;
    this.#inForce = inForce;
    this.#asOfMs = begin.asOfMs;
    this.#expiredMs = now();
  }

  get versions(): readonly number[] {
    return this.#versions;
  }

  set versions(versions: readonly number[]) {
    this.#versions = versions;
    this.#asOfMs = this.#overAsOf();
    this.#goOn(rulesInForce(versionsFrom(versions), this.#asOfMs, HOLD_MS));
  }

  get lacksVersions(): boolean {
    return this.#need.isLacking;
  }

  set lacksVersions(isLacking: boolean) {
    this.#need.isLacking = isLacking;
  }

  get late(): number {
    const { rules, linesInvalid, losses } = this.#aggregator.engine.ledger();
    const dropped = rules.reduce((sum, { pairsDropped, pairsCarried }) => sum + pairsCarried + total(pairsDropped), 0);
    return dropped + total(linesInvalid) + losses;
  }

  flush(nowMs: number, sink: SimSink): void {
    const { engine } = this.#aggregator;
    do for (const action of engine.step(nowMs, { kind: "tick" })) if (action.kind === "rows") sink.take(action.block);
    while (engine.busy);
    if (nowMs - this.#expiredMs < EXPIRE_MS) return;
    this.#expiredMs = nowMs;
    this.#expire();
  }

  keep(stoppedMs: number): Disk {
    const { engine } = this.#aggregator;
    const snapshot = takeSnapshot(engine, WHOLE, { term: "0.0", number: 1 });
    const content: Kept = { snapshot, oldest: this.#inForce.versions.at(-1)?.version.hash };
    const offers = engine.parts.list.map(({ low, high, term }) => ({ low, high, number: parseGeneration(term) ?? NO_GENERATION }));
    return { offers, stoppedMs, versions: this.#versions, content };
  }

  dispose(): void {
    this.#aggregator.engine.dispose();
  }

  override copy(range: KeyRange, number: CopyNumber, outbox: Outbox): Uint8Array {
    // The sink's own blocks, which it gave with `withdrawn`.
    const blocks = (outbox as readonly PlainBlock[]).map((block): OutboxBlock => ({ ...unplain(block), sink: "sim" }));
    return super.copy(range, number, blocks);
  }

  override install(range: KeyRange, move: Generation): Outbox | undefined {
    // What EngineHoldings takes out of a copy.
    return (super.install(range, move) as readonly OutboxBlock[] | undefined)?.map(plain);
  }

  /** As ShardedRules.expire(). */
  #expire(): void {
    const asOfMs = this.#overAsOf();
    const next = rulesInForce(this.#inForce.versions, asOfMs, HOLD_MS);
    if (next.rules.length === this.#inForce.rules.length && next.versions.length === this.#inForce.versions.length) return;
    this.#asOfMs = asOfMs;
    this.#goOn(next);
  }

  #overAsOf(): number {
    const times = { nowMs: this.#world.nowMs, beforeMs: this.#asOfMs, holdMs: HOLD_MS };
    return overAsOf(this.#inForce, times, (rule, ms) => hasClosed(this.#aggregator.engine, rule, ms));
  }

  #goOn(inForce: RulesInForce): void {
    this.#inForce = inForce;
    this.#aggregator.reload(openEngine(inForce.rules, this.#world.nowMs));
    // No read is under way.
    void this.#aggregator.received(0);
  }
}

/** One that holds nothing. */
function openEngine(rules: EngineOptions["rules"], startMs: number): Engine {
  const engine = new Engine({ rules, outputs, naming: "telegraf", startMs, maxFutureMs: 60_000, holdMs: HOLD_MS, memoryBytesMax: MEMORY_BYTES });
  engine.parts.drop(WHOLE);
  return engine;
}

function total(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
