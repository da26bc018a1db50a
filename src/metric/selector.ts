// Placeholder written by the scaffold; the rule helper replaces it.
export interface Matcher {
  readonly label: string;
  readonly op: "=" | "!=" | "=~" | "!~";
  readonly value: string;
}
/** Alternatives (`or`), each a conjunction of matchers. */
export interface Selector {
  readonly text: string;
  readonly alternatives: readonly (readonly Matcher[])[];
}
