/** Node has it; @types/node 20 does not say so (src/kernel/assembly.d.ts has the rest). */
declare namespace WebAssembly {
  class Instance {
    readonly exports: Readonly<Record<string, unknown>>;
  }
  function instantiate(binary: Uint8Array, imports: Readonly<Record<string, object>>): Promise<{ readonly instance: Instance }>;
}
