// Compiles the kernel to WebAssembly, in a process of its own (kernelWasm.mjs).
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type * as cell from "#limpet/kernel/cell.js";
import type * as counter from "#limpet/kernel/counter.js";
import type * as plan from "#limpet/kernel/plan.js";
import type * as reader from "#limpet/kernel/reader.js";
import type * as seriesShape from "#limpet/kernel/seriesShape.js";
import type * as shape from "#limpet/kernel/shape.js";
import type * as sketch from "#limpet/kernel/sketch.js";
import type * as table from "#limpet/kernel/table.js";

/** What the tests call of it. */
export type KernelExports = Pick<typeof reader, "run" | "nextKey"> &
  Pick<typeof counter, "foldRates" | "addToTotal"> &
  Pick<typeof cell, "releaseCell"> &
  Pick<typeof plan, "addHeld"> &
  Pick<typeof seriesShape, "seriesShapeOf" | "fieldLike"> &
  Pick<typeof shape, "shapeOf" | "fieldsLike" | "copyFields"> &
  Pick<typeof sketch, "openSketch" | "addSketch" | "releaseSketch"> &
  Pick<typeof table, "tableAdd" | "tableProbe" | "tableRemove">;

/** The binary. Throws with the compiler's messages when a file has left the subset. */
export function compileKernel(): Uint8Array {
  const script = fileURLToPath(new URL("./kernelWasm.mjs", import.meta.url));
  return execFileSync(process.execPath, [script], { encoding: "buffer", maxBuffer: 1 << 26 });
}
