// What every store of the assigner must do. `open` gives a store on the same place each time.
import { expect, it } from "@jest/globals";
import type { AssignerStore } from "#limpet/assign/store.js";
import type { Assignment } from "#limpet/slice/assignment.js";
import type { Generation } from "#limpet/slice/generation.js";
import { WHOLE } from "#limpet/slice/keyRange.js";
import { type RuleVersion, ruleHash } from "#limpet/slice/ruleVersion.js";

export interface StorePlace {
  open(): Promise<AssignerStore>;
  /** Whether what is stored outlives close(). */
  readonly isDurable: boolean;
}

function assignment(number: number, rules = "r"): Assignment {
  const generation: Generation = { incarnation: 1, number };
  const slice = { ...WHOLE, owner: null, standby: null, movingTo: null, move: null, term: generation };
  return { generation, rules, slices: [slice], resources: [] };
}

function ruleVersion(text: string): RuleVersion {
  const files = [{ path: "a.yaml", text }];
  return { hash: ruleHash({ activeFromMs: 5, files }), activeFromMs: 5, files };
}

export function storeSuite(place: () => StorePlace): void {
  it("empty -> nothing to read, no rules", async () => {
    const store = await place().open();
    expect(await store.read()).toBeUndefined();
    expect(await store.readRules()).toEqual([]);
    await store.close();
  });

  it("first write expects nothing -> read gives it", async () => {
    const store = await place().open();
    expect(await store.write(undefined, assignment(1))).toEqual({ ok: true });
    expect(await store.read()).toEqual(assignment(1));
    await store.close();
  });

  it.each<[string, Generation | undefined]>([
    ["nothing", undefined],
    ["an older one", { incarnation: 1, number: 1 }],
    ["a newer one", { incarnation: 1, number: 3 }],
    ["the same number of another incarnation", { incarnation: 2, number: 2 }],
  ])("write expects %s -> refused with what is stored, which stays", async (_name, expected) => {
    const store = await place().open();
    await store.write(undefined, assignment(1));
    await store.write({ incarnation: 1, number: 1 }, assignment(2));
    expect(await store.write(expected, assignment(4))).toEqual({ ok: false, stored: assignment(2) });
    expect(await store.read()).toEqual(assignment(2));
    await store.close();
  });

  it("write expects one, but nothing is stored -> refused", async () => {
    const store = await place().open();
    expect(await store.write({ incarnation: 1, number: 1 }, assignment(2))).toEqual({ ok: false, stored: undefined });
    await store.close();
  });

  it("a chain of writes -> the last", async () => {
    const store = await place().open();
    let expected: Generation | undefined;
    for (let number = 1; number <= 20; number++) {
      expect(await store.write(expected, assignment(number))).toEqual({ ok: true });
      expected = { incarnation: 1, number };
    }
    expect(await store.read()).toEqual(assignment(20));
    await store.close();
  });

  it("rules: written -> read in order; replaced as a whole", async () => {
    const store = await place().open();
    await store.writeRules([ruleVersion("b"), ruleVersion("a")]);
    expect(await store.readRules()).toEqual([ruleVersion("b"), ruleVersion("a")]);
    await store.writeRules([ruleVersion("c")]);
    expect(await store.readRules()).toEqual([ruleVersion("c")]);
    expect(await store.read()).toBeUndefined();
    await store.close();
  });

  it("closed and opened again -> there, if it is durable", async () => {
    const here = place();
    const store = await here.open();
    await store.write(undefined, assignment(1));
    await store.writeRules([ruleVersion("a")]);
    await store.close();
    const again = await here.open();
    expect([await again.read(), await again.readRules()]).toEqual(here.isDurable ? [assignment(1), [ruleVersion("a")]] : [undefined, []]);
    await again.close();
  });
}
