// A slice whose rules are not in force at its target: it stays where it is, and the target learns that it lacks something.
import { afterEach, describe, expect, it } from "@jest/globals";
import { EngineHoldings } from "#limpet/drive/engineHoldings.js";
import { WHOLE } from "#limpet/slice/keyRange.js";
import { disposeEngines, feedLines, openEngine } from "../aggregate/openEngine.js";

afterEach(disposeEngines);

describe("holdings", () => {
  it("a copy with windows of a rule that is not in force here -> refused, and said", () => {
    const from = openEngine("- { match: m_f, interval: 10s, outputs: [max] }", { startMs: 100_000 });
    const to = openEngine("- { match: m_f, interval: 20s, outputs: [max] }", { startMs: 100_000 });
    to.parts.drop(WHOLE);
    feedLines(from, 101_000, "m f=1 101000");
    const said: string[] = [];
    const holdings = (engine: typeof from) =>
      new EngineHoldings({ engine: () => engine, now: () => 102_000, warn: (text) => said.push(text), onForgotten: () => said.push("forgotten") });
    const move = { incarnation: 1, number: 2 };
    const bytes = holdings(from).copy(WHOLE, { move, number: 1, full: true }, []);
    expect(holdings(to).receive(WHOLE, bytes)).toBe("refused");
    expect(said).toEqual(["forgotten", expect.stringContaining("1 groups are of rules that are not in force here")]);
    expect(to.parts.list).toEqual([]);
  });
});
