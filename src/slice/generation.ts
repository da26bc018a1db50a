// The total order of Assignments: (store incarnation, number), compared in this order. A term is a Generation too: the one that
// gave a Slice to its server (PROTOCOL P3).

export interface Generation {
  /** Grows when a store lost or rolled back what others have seen. Whole, >= 0. */
  readonly incarnation: number;
  /** Grows with every Assignment. Whole, >= 0. Never made from a clock. */
  readonly number: number;
}

/** Before the first Assignment. */
export const NO_GENERATION: Generation = { incarnation: 0, number: 0 };

/** Negative: a is older than b. */
export function compareGenerations(a: Generation, b: Generation): number {
  return a.incarnation - b.incarnation || a.number - b.number;
}

export function isNewer(a: Generation, b: Generation): boolean {
  return compareGenerations(a, b) > 0;
}

/** The wire form `INC.NUM`. */
export function formatGeneration({ incarnation, number }: Generation): string {
  return `${String(incarnation)}.${String(number)}`;
}

export function parseGeneration(text: string): Generation | undefined {
  const parts = /^(\d{1,15})\.(\d{1,15})$/.exec(text);
  return parts === null ? undefined : { incarnation: Number(parts[1]), number: Number(parts[2]) };
}
