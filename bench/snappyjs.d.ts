// snappyjs ships no types; only what the bench uses.
declare module "snappyjs" {
  export function uncompress(compressed: Uint8Array, maxLength?: number): Uint8Array;
}
