// Gets the real vmagent to compare with: the newest victoria-metrics package that Debian's next suites hold, unpacked with `dpkg -x`
// under .cache/vmagent/<version>/ and never installed.
//
// Where from: the archive and keyring the machine's own apt uses, only the suite differs. apt runs with its own state, cache and
// source list in a temporary folder, so the system's apt is neither read-locked nor changed. What is found once is used from the
// cache without asking the network again; VMAGENT=/path/to/vmagent overrides everything.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

export interface Vmagent {
  readonly path: string;
  /** Debian's version, e.g. `1.145.0+ds1-2`. */
  readonly version: string;
}

/** Folders still being filled begin so. */
const PARTIAL = "partial-";
const PACKAGE = "victoria-metrics";
/** Newest first; apt picks the highest version of all. */
const SUITES = ["sid", "forky", "trixie"];
/** Older ones lack outputs the comparison uses. */
const OLDEST_MAJOR_MINOR = [1, 112] as const;

/** The cached vmagent, else a newly fetched one. Throws with what to do when neither can be had. */
export async function obtainVmagent(cacheDir: string): Promise<Vmagent> {
  const given = process.env["VMAGENT"];
  if (given !== undefined && given !== "") return { path: given, version: `VMAGENT=${given}` };
  const cached = await newestCached(cacheDir);
  if (cached !== undefined) return cached;
  try {
    return await fetchVmagent(cacheDir);
  } catch (error) {
    throw new Error(
      `vmagent cannot be obtained from Debian ${SUITES.join("/")} through this machine's apt archive; set VMAGENT=/path/to/vmagent (1.112 or newer)`,
      { cause: error },
    );
  }
}

async function newestCached(cacheDir: string): Promise<Vmagent | undefined> {
  if (!existsSync(cacheDir)) return undefined;
  const versions = (await readdir(cacheDir)).filter((version) => !version.startsWith(PARTIAL) && existsSync(binaryOf(cacheDir, version)));
  const version = versions.sort((a, b) => a.localeCompare(b, "en", { numeric: true })).at(-1);
  return version === undefined ? undefined : { path: binaryOf(cacheDir, version), version };
}

function binaryOf(cacheDir: string, version: string): string {
  return path.join(cacheDir, version, "usr", "bin", "vmagent");
}

async function fetchVmagent(cacheDir: string): Promise<Vmagent> {
  const work = await mkdtemp(path.join(os.tmpdir(), "limpet-apt-"));
  try {
    const options = await privateApt(work);
    await run("apt-get", [...options, "update"]);
    const version = await candidateVersion(options);
    await run("apt-get", [...options, "download", `${PACKAGE}=${version}`], { cwd: work });
    const archive = (await readdir(work)).find((file) => file.endsWith(".deb"));
    if (archive === undefined) throw new Error(`apt-get download left no .deb for ${PACKAGE}=${version}`);
    await run("dpkg", ["-x", path.join(work, archive), path.join(work, "unpacked")]);
    await keepInCache(path.join(work, "unpacked"), cacheDir, version);
    return { path: binaryOf(cacheDir, version), version };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** A folder beside the final one first, then one rename: a half-copied binary is never taken for a cached one. */
async function keepInCache(unpacked: string, cacheDir: string, version: string): Promise<void> {
  await mkdir(cacheDir, { recursive: true });
  const partial = await mkdtemp(path.join(cacheDir, PARTIAL));
  await mkdir(path.join(partial, "usr", "bin"), { recursive: true });
  await run("cp", [path.join(unpacked, "usr", "bin", "vmagent"), path.join(partial, "usr", "bin", "vmagent")]);
  await rm(path.join(cacheDir, version), { recursive: true, force: true });
  await rename(partial, path.join(cacheDir, version));
}

/** apt options that keep everything in `work`, with a source list made of the machine's own main archive and our suites. */
async function privateApt(work: string): Promise<string[]> {
  const { stdout } = await run("apt-get", ["indextargets", "--format", "$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(SIGNED_BY)", "Created-By: Packages"]);
  const own = stdout.split("\n").map((line) => line.split("|"));
  // The main archive carries the plain release (bookworm), beside its -updates and -security.
  const [uri, , , signedBy] = own.find(([, release, component]) => component === "main" && release !== undefined && /^[a-z]+$/.test(release)) ?? [];
  if (uri === undefined) throw new Error("apt-get indextargets names no Debian main archive (run apt-get update once)");
  const signed = signedBy === undefined || signedBy === "" || signedBy.startsWith("$(") ? "" : `[signed-by=${signedBy}] `;
  await writeFile(path.join(work, "sources.list"), SUITES.map((suite) => `deb ${signed}${uri} ${suite} main\n`).join(""));
  for (const dir of ["state/lists/partial", "cache/archives/partial"]) await mkdir(path.join(work, dir), { recursive: true });
  const settings = {
    "Dir::State": path.join(work, "state"),
    "Dir::State::status": "/dev/null",
    "Dir::Cache": path.join(work, "cache"),
    "Dir::Etc::sourcelist": path.join(work, "sources.list"),
    "Dir::Etc::sourceparts": "/dev/null",
    "Dir::Etc::preferencesparts": "/dev/null",
    "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
    "Acquire::Languages": "none",
    "APT::Sandbox::User": "root",
  };
  return Object.entries(settings).flatMap(([key, value]) => ["-o", `${key}=${value}`]);
}

async function candidateVersion(options: readonly string[]): Promise<string> {
  const { stdout } = await run("apt-cache", [...options, "policy", PACKAGE]);
  const version = /Candidate: (\S+)/.exec(stdout)?.[1];
  if (version === undefined || version === "(none)") throw new Error(`${PACKAGE} is in none of ${SUITES.join(", ")}`);
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [oldestMajor, oldestMinor] = OLDEST_MAJOR_MINOR;
  if (major < oldestMajor || (major === oldestMajor && minor < oldestMinor))
    throw new Error(`${PACKAGE} ${version} is older than ${OLDEST_MAJOR_MINOR.join(".")}`);
  return version;
}
