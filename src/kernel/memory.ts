// The one flat memory of the process, and what the kernel needs of JavaScript to reach it.
//
// A fixed WebAssembly.Memory of almost 2 GiB (every address is a positive i32). The operating system backs only the pages
// that were touched, so its size costs nothing; how much an engine may touch is capped in pages.ts. It never grows: a
// growing buffer would turn every view into a variable, and resizable buffers are 2.4 times slower (docs/ARCHITECTURE.md).
//
// Not part of the AssemblyScript subset: in the WebAssembly build these accesses are instructions.

export const PAGE_BYTES = 65536;
/** 65535 words short of 2 GiB, so that address arithmetic stays positive. */
export const PAGE_COUNT = 32767;

function reserve(): ArrayBuffer {
  try {
    const memory = new WebAssembly.Memory({ initial: PAGE_COUNT, maximum: PAGE_COUNT });
    return memory.buffer;
  } catch (cause) {
    throw new Error("cannot reserve 2 GiB of address space (not RAM: untouched pages cost nothing); raise the limit on virtual memory (ulimit -v)", {
      cause,
    });
  }
}

const buffer = reserve();

/** The memory as bytes. Views are constants, so that the compiler folds their address into the code. */
export const heap8 = new Uint8Array(buffer);
export const heap32 = new Int32Array(buffer);
export const heap64 = new Float64Array(buffer);
export const heapView = new DataView(buffer);
/** The same bytes as a Buffer: fast text decoding and a target for fs.read and sockets. */
export const heapBuffer = Buffer.from(buffer);

Object.assign(globalThis, {
  i32: {
    load: (address: number): number => heap32[address >> 2] as number, // in bounds: addresses come from the allocator
    store: (address: number, value: number): void => {
      heap32[address >> 2] = value;
    },
    load8_u: (address: number): number => heap8[address] as number, // as above
    store8: (address: number, value: number): void => {
      heap8[address] = value;
    },
  },
  f64: {
    load: (address: number): number => heap64[address >> 3] as number, // as above
    store: (address: number, value: number): void => {
      heap64[address >> 3] = value;
    },
  },
});
