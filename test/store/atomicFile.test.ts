import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { readAtomicFile, writeAtomicFile } from "#limpet/store/atomicFile.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "limpet-atomic-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

describe("atomic file", () => {
  test.each([0, 1, 100_000])("%i bytes: written twice -> the second is read back, no other file is left", async (bytes) => {
    const path = join(folder, "state");
    await writeAtomicFile(path, Buffer.from("old"));
    const payload = Buffer.alloc(bytes, 7);
    await writeAtomicFile(path, payload);
    expect(await readAtomicFile(path)).toEqual({ state: "ok", bytes: payload });
    expect(await readdir(folder)).toEqual(["state"]);
  });

  test("no file -> missing", async () => {
    expect(await readAtomicFile(join(folder, "nothing"))).toEqual({ state: "missing" });
  });

  test("any byte changed -> corrupt", async () => {
    const path = join(folder, "state");
    await writeAtomicFile(path, Buffer.from("payload"));
    const good = await readFile(path);
    for (let i = 0; i < good.length; i++) {
      const bad = Buffer.from(good);
      bad.writeUInt8(bad.readUInt8(i) ^ 1, i);
      await writeFile(path, bad);
      expect((await readAtomicFile(path)).state).toBe("corrupt");
    }
  });

  test("cut at any length -> corrupt", async () => {
    const path = join(folder, "state");
    await writeAtomicFile(path, Buffer.from("payload"));
    for (let length = 14; length >= 0; length--) {
      await truncate(path, length);
      expect((await readAtomicFile(path)).state).toBe("corrupt");
    }
  });

  test("a crash left a temporary file -> the old content is read, the next write replaces it", async () => {
    const path = join(folder, "state");
    await writeAtomicFile(path, Buffer.from("old"));
    await writeFile(`${path}.tmp`, "half a fi");
    expect(await readAtomicFile(path)).toEqual({ state: "ok", bytes: Buffer.from("old") });
    await writeAtomicFile(path, Buffer.from("new"));
    expect(await readdir(folder)).toEqual(["state"]);
  });

  test("target cannot be replaced -> throws the system's error, leaves no temporary file", async () => {
    await expect(writeAtomicFile(folder, Buffer.from("x"))).rejects.toThrow(/EISDIR|EBUSY|ENOTEMPTY|EEXIST/);
    await expect(readFile(`${folder}.tmp`)).rejects.toThrow("ENOENT");
  });
});
