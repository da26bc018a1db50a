import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { lockFolder } from "#limpet/store/lock.js";

let folder: string;
let child: ChildProcess | undefined;
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), "limpet-lock-")), "data");
});
afterEach(async () => {
  child?.kill("SIGKILL");
  child = undefined;
  await rm(join(folder, ".."), { recursive: true });
});

/** Another live process, and the name its lock would have. */
async function otherProcess(): Promise<{ pid: number; lockName: string }> {
  child = spawn(process.execPath, ["-e", "process.stdin.resume(); console.log('up')"], { stdio: ["pipe", "pipe", "inherit"] });
  if (child.stdout === null || child.pid === undefined) throw new Error("no child");
  await once(child.stdout, "data");
  const stat = await readFile(`/proc/${child.pid}/stat`, "utf8");
  const boot = (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
  return { pid: child.pid, lockName: `lock.${child.pid}.${stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? ""}.${boot}` };
}

/** Locks and releases once, so that the folder exists. */
async function emptyFolder(): Promise<void> {
  const result = await lockFolder(folder);
  if (result.ok) result.lock.release();
}

describe("lock", () => {
  test("new folder -> created and locked; release -> empty", async () => {
    const result = await lockFolder(folder);
    expect(result.ok).toBe(true);
    expect(await readdir(folder)).toHaveLength(1);
    if (result.ok) {
      result.lock.release();
      result.lock.release();
    }
    expect(await readdir(folder)).toEqual([]);
  });

  test("held by this process -> refused", async () => {
    const first = await lockFolder(folder);
    const second = await lockFolder(folder);
    expect(second).toMatchObject({ ok: false, pid: process.pid });
    if (first.ok) first.lock.release();
    expect((await lockFolder(folder)).ok).toBe(true);
  });

  test("held by a live process -> refused naming it, its lock untouched", async () => {
    await emptyFolder();
    const other = await otherProcess();
    await writeFile(join(folder, other.lockName), "");
    const result = await lockFolder(folder);
    expect(result).toEqual({
      ok: false,
      pid: other.pid,
      message: `${folder}: in use by process ${other.pid}; give each limpet its own --data folder, or stop that process`,
    });
    expect(await readdir(folder)).toEqual([other.lockName]);
  });

  test("holder was killed -> taken over", async () => {
    await emptyFolder();
    const other = await otherProcess();
    await writeFile(join(folder, other.lockName), "");
    const ended = child === undefined ? Promise.resolve() : once(child, "exit");
    child?.kill("SIGKILL");
    await ended;
    expect((await lockFolder(folder)).ok).toBe(true);
    expect(await readdir(folder)).toEqual([expect.stringContaining(`lock.${process.pid}.`)]);
  });

  test("pid now belongs to a younger process -> taken over", async () => {
    await emptyFolder();
    const other = await otherProcess();
    await writeFile(join(folder, other.lockName.replace(/^(lock\.\d+)\.\d+/, "$1.1")), "");
    expect((await lockFolder(folder)).ok).toBe(true);
  });

  test("lock of an earlier boot -> taken over", async () => {
    await emptyFolder();
    const other = await otherProcess();
    await writeFile(join(folder, other.lockName.replace(/[^.]+$/, "00000000-0000-0000-0000-000000000000")), "");
    expect((await lockFolder(folder)).ok).toBe(true);
  });

  test("files of others in the folder -> left alone", async () => {
    await emptyFolder();
    await writeFile(join(folder, "lock.txt"), "mine");
    expect((await lockFolder(folder)).ok).toBe(true);
    expect(await readdir(folder)).toContain("lock.txt");
  });

  test("eight processes at once -> at most one holds it", async () => {
    const script = `import(${JSON.stringify(join(process.cwd(), "dist/store/lock.js"))}).then(async (m) => {
      const r = await m.lockFolder(${JSON.stringify(folder)}); process.stdout.write(r.ok ? "held" : "refused"); process.stdin.resume(); });`;
    const children = Array.from({ length: 8 }, () => spawn(process.execPath, ["-e", script], { stdio: ["pipe", "pipe", "inherit"] }));
    const answers = await Promise.all(children.map(async (one) => String((await once(one.stdout, "data"))[0])));
    for (const one of children) one.stdin.end();
    await Promise.all(children.map((one) => once(one, "exit")));
    expect(answers.filter((answer) => answer === "held").length).toBeLessThanOrEqual(1);
    expect(answers.filter((answer) => answer === "refused").length).toBeGreaterThanOrEqual(7);
  });
});
