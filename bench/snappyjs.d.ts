// snappyjs ships no types; only what the bench and its tests use.
declare module "snappyjs" {
  export function compress(plain: Uint8Array): Uint8Array;
  export function uncompress(compressed: Uint8Array, maxLength?: number): Uint8Array;
}
