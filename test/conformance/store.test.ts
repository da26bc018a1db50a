import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import type { AssignerStore } from "#limpet/assign/store.js";
import { openFileStore } from "#limpet/store/fileStore.js";
import { memoryStore } from "#limpet/store/memoryStore.js";
import { storeSuite } from "./storeSuite.js";

let folder: string;
const warnings: string[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "limpet-store-"));
  warnings.length = 0;
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

async function openFile(): Promise<AssignerStore> {
  const opened = await openFileStore(folder, (message) => warnings.push(message));
  if (!opened.ok) throw new Error(opened.message);
  return opened.store;
}

describe("store memory", () => {
  storeSuite(() => ({ open: async () => memoryStore(), isDurable: false }));
});

describe("store file", () => {
  storeSuite(() => ({ open: openFile, isDurable: true }));

  it("open twice -> the second is told who has it", async () => {
    const store = await openFile();
    const second = await openFileStore(folder, () => undefined);
    expect(second.ok ? "" : second.message).toContain(`in use by process ${String(process.pid)}`);
    await store.close();
  });

  it("damaged -> set aside, said, and as if there were none", async () => {
    await writeFile(join(folder, "assignment"), "half a file");
    const store = await openFile();
    expect(await store.read()).toBeUndefined();
    expect(warnings.join()).toContain("assignment.damaged");
    expect(await readdir(folder)).toContain("assignment.damaged");
    await store.close();
  });

  it("a folder that cannot be -> the system's error", async () => {
    await writeFile(join(folder, "file"), "");
    await expect(openFileStore(join(folder, "file", "below"), () => undefined)).rejects.toThrow("ENOTDIR");
  });
});
