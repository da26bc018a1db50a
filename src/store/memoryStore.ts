// An assigner's store that ends with the process: for tests, and for `limpet assign` without --store, whose Slicelets remember.
import { type AssignerStore, isExpected } from "../assign/store.js";
import type { Assignment } from "../slice/assignment.js";
import type { RuleVersion } from "../slice/ruleVersion.js";

export function memoryStore(): AssignerStore {
  let stored: Assignment | undefined;
  let rules: readonly RuleVersion[] = [];
  return {
    read: async () => stored,
    write: async (expected, assignment) => {
      if (!isExpected(stored?.generation, expected)) return { ok: false, stored };
      stored = assignment;
      return { ok: true };
    },
    readRules: async () => rules,
    writeRules: async (versions) => {
      rules = versions;
    },
    close: async () => undefined,
  };
}
