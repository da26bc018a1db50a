// Where the newest Assignment is kept, and the versions of the rules. One writer at a time wins: a write of an Assignment names the
// Generation it builds on.
import type { Assignment } from "../slice/assignment.js";
import type { Generation } from "../slice/generation.js";
import type { RuleVersion } from "../slice/ruleVersion.js";

export type Written = { readonly ok: true } | { readonly ok: false; readonly stored: Assignment | undefined };

export interface AssignerStore {
  /** undefined: nothing there. Throws the system's error. */
  read(): Promise<Assignment | undefined>;
  /**
   * Replaces what is stored if that has the Generation `expected` (undefined: if nothing is stored). Not ok: it has another one, and
   * `stored` is that. When it returns ok the Assignment survives a crash of this process. Throws the system's error, and then the
   * old one may or may not be there.
   */
  write(expected: Generation | undefined, assignment: Assignment): Promise<Written>;
  /** Newest first; empty: none. Throws the system's error. */
  readRules(): Promise<readonly RuleVersion[]>;
  /** Replaces them. Throws the system's error. */
  writeRules(versions: readonly RuleVersion[]): Promise<void>;
  close(): Promise<void>;
}

/** Whether a write that expects one Generation may replace an Assignment of another. */
export function isExpected(stored: Generation | undefined, expected: Generation | undefined): boolean {
  return stored?.incarnation === expected?.incarnation && stored?.number === expected?.number;
}
