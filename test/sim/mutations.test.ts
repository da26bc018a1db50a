// A simulator that finds nothing when a rule of the protocol is off is worth nothing.
import { expect, it } from "@jest/globals";
import type { ModelRules } from "./modelHoldings.js";
import { simulate } from "./scenario.js";

it.each<keyof ModelRules>(["gap", "duplicate", "hold", "go", "withdraw", "oneWindow", "needRules", "back"])(
  "simulator: rule %s is off -> a seed fails",
  (rule) => {
    let seed = 1;
    while (seed <= 60 && simulate({ seed, rules: { [rule]: false } }).faults.length === 0) seed++;
    expect(seed).toBeLessThanOrEqual(60);
  },
  120_000,
);
