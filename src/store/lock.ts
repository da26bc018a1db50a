// One process per --data folder. Node has no flock, so the lock is a file whose NAME says who holds it:
//
//   lock.PID.START.BOOT     START: the process' start time in clock ticks since boot, BOOT: the kernel's boot id
//
// To lock: create the own file (O_EXCL), then look at the others. A live one: remove the own file and refuse. Dead ones (other
// boot, no such process, or the pid now belongs to a process with another start time) are removed. Everyone creates before
// looking, so of two processes at least one sees the other: two never both hold it. Two that start at the same instant may
// both be refused, which Telegraf's restart_delay cures. Removing a dead file is safe at any time, because its name can never be
// a live process' name; a lock with one fixed name would have a gap there.
//
// It does not see across machines or pid namespaces: a folder shared by two containers needs one volume per container.
import { closeSync, openSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { mkdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { systemErrorCode } from "../base/systemError.js";

export interface FolderLock {
  /** Gives the folder free. Safe to call twice. */
  release(): void;
}

export type LockResult = { readonly ok: true; readonly lock: FolderLock } | { readonly ok: false; readonly pid: number; readonly message: string };

const LOCK_NAME = /^lock\.(\d+)\.(\d+)\.([0-9a-f-]+)$/;

/** Creates `folder` if needed and locks it for this process. Throws the system's error when the folder cannot be written. */
export async function lockFolder(folder: string): Promise<LockResult> {
  await makeFolder(folder);
  const own = `lock.${process.pid}.${startTimeOf(process.pid)}.${bootId()}`;
  try {
    closeSync(openSync(join(folder, own), "wx", 0o600));
  } catch (error) {
    if (systemErrorCode(error) === "EEXIST") return refusal(folder, process.pid);
    throw error;
  }
  const release = (): void => {
    rmSync(join(folder, own), { force: true });
  };
  for (const name of readdirSync(folder)) {
    const parts = LOCK_NAME.exec(name);
    if (parts === null || name === own) continue;
    const [, pid = "", start = "", boot = ""] = parts;
    if (isAlive(Number(pid), start, boot)) {
      release();
      return refusal(folder, Number(pid));
    }
    rmSync(join(folder, name), { force: true });
  }
  return { ok: true, lock: { release } };
}

/** As mkdir -p. Not mkdir's own `recursive`, which never returns where the parent is there and takes no folders (/proc, node 20). */
async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder);
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === "EEXIST" && (await stat(folder)).isDirectory()) return;
    if (code === "EEXIST") throw new Error("is no folder; name one, or a path that is free", { cause: error });
    const parent = dirname(folder);
    if (code !== "ENOENT" || (await isFolder(parent))) throw error;
    await makeFolder(parent);
    await mkdir(folder);
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}

function refusal(folder: string, pid: number): LockResult {
  return { ok: false, pid, message: `${folder}: in use by process ${pid}; give each limpet its own --data folder, or stop that process` };
}

function isAlive(pid: number, start: string, boot: string): boolean {
  if (boot !== bootId()) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it lives and belongs to someone else.
    if (systemErrorCode(error) !== "EPERM") return false;
  }
  return startTimeOf(pid) === start;
}

/** Where there is no /proc (macOS), pids alone decide. */
function bootId(): string {
  return readProc("/proc/sys/kernel/random/boot_id")?.trim() ?? "0";
}

/** Field 22 of /proc/PID/stat; "zombie" for a process that has ended and was not waited for yet: it holds nothing. */
function startTimeOf(pid: number): string {
  const stat = readProc(`/proc/${pid}/stat`);
  if (stat === undefined) return "0";
  // Field 2, the name, may hold spaces and parentheses: fields are counted from its last one. The next is field 3, the state.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "Z" || fields[0] === "X" ? "zombie" : (fields[19] ?? "0");
}

function readProc(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
