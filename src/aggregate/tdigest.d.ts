// tdigest carries no types; what is used of it.
declare module "tdigest" {
  export class TDigest {
    /** False while centroids may be merged. */
    discrete: boolean;
    /** `delta` false: discrete. `K` 0: compress() is not called by itself. */
    constructor(delta: number | false, K: number);
    push(value: number): void;
    push_centroid(centroid: { readonly mean: number; readonly n: number }): void;
    percentile(phi: number): number | undefined;
    size(): number;
    reset(): void;
    toArray(): { readonly mean: number; readonly n: number }[];
  }
}
