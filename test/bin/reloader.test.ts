// Another engine takes over, or does not fit: then the one of before goes on as if nothing had been.
import { afterEach, describe, expect, it } from "@jest/globals";
import { Engine } from "#limpet/aggregate/engine.js";
import { SteadyClock } from "#limpet/base/clock.js";
import { createLog } from "#limpet/base/log.js";
import { loadOutputs } from "#limpet/bin/loadOutputs.js";
import { goOnWith } from "#limpet/bin/reloader.js";
import { Aggregator } from "#limpet/drive/aggregator.js";
import { disposeEngines, feedLines, openEngine, rulesOf, tick } from "../aggregate/openEngine.js";

const outputs = await loadOutputs();
const RULES = "- { match: m_f, interval: 10s, by: [h], outputs: [sum_samples] }";

afterEach(disposeEngines);

describe("go on with", () => {
  it("an engine that has no room for the state -> why, and the one of before keeps its windows", () => {
    const engine = openEngine(RULES, { startMs: 100_000 });
    feedLines(engine, 101_000, ...Array.from({ length: 10_000 }, (_, i) => `m,h=h${String(i)} f=1 101000`));
    // Not one that the test disposes of: who opens it does, when it is of no use.
    const small = (): Engine =>
      new Engine({ rules: rulesOf(RULES), outputs, naming: "telegraf", startMs: 101_000, maxFutureMs: 60_000, memoryBytesMax: 6 << 20 });
    const aggregator = new Aggregator({
      engine,
      sinks: [],
      log: createLog({ mode: "serve", write: () => undefined, now: () => 0 }),
      clock: new SteadyClock({ wall: () => 101_000, monotonic: () => 0 }),
      checkpoint: undefined,
      onBroken: (error) => {
        throw error;
      },
    });
    expect(goOnWith(aggregator, small)).toContain("no memory");
    expect(aggregator.engine).toBe(engine);
    expect(goOnWith(aggregator, () => openEngine(RULES, { startMs: 101_000 }))).toBeUndefined();
    expect(aggregator.engine).not.toBe(engine);
    expect(tick(aggregator.engine, 120_000).length).toBe(10_000);
  });
});
