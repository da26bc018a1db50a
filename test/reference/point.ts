// What a generated line says, before it is spelled as line protocol (lineText.ts): the input of the reference.

export type FieldValue =
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "int"; readonly value: bigint }
  | { readonly kind: "uint"; readonly value: bigint }
  | { readonly kind: "bool"; readonly value: boolean }
  | { readonly kind: "string"; readonly value: string };

export interface Point {
  readonly measurement: string;
  /** Unique keys, no empty values: line protocol cannot say either. */
  readonly tags: Readonly<Record<string, string>>;
  /** In line order, unique keys. */
  readonly fields: readonly (readonly [key: string, value: FieldValue])[];
  /** Nanoseconds since the epoch. */
  readonly timeNs: bigint;
}

/** One numeric field of a point at its time. */
export interface Sample {
  readonly name: string;
  /** Label name -> value, without __name__. */
  readonly labels: ReadonlyMap<string, string>;
  /** Name and labels as one string. */
  readonly series: string;
  readonly timeMs: number;
  readonly value: number;
}
