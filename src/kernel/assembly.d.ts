// The kernel is written in the subset that TypeScript and AssemblyScript share. These are the two types it uses and the only
// way it touches memory; memory.ts provides them in JavaScript, WebAssembly has them built in.
declare type i32 = number;
declare type f64 = number;
declare const i32: {
  /** Address must be a multiple of 4; leaf.ts has the unaligned load. */
  load(address: i32): i32;
  store(address: i32, value: i32): void;
  load8_u(address: i32): i32;
  store8(address: i32, value: i32): void;
};
declare const f64: {
  /** Address must be a multiple of 8. */
  load(address: i32): f64;
  store(address: i32, value: f64): void;
};
/** Node has it; @types/node 20 does not say so. */
declare namespace WebAssembly {
  class Memory {
    constructor(descriptor: { initial: number; maximum: number });
    readonly buffer: ArrayBuffer;
  }
}
