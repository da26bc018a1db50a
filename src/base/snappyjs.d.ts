// snappyjs carries no types. Block format; the result has the kind of the argument. (We compress by ourselves: snappyCompress.ts.)
declare module "snappyjs" {
  export function uncompress(input: Uint8Array, maxLength?: number): Uint8Array;
}
