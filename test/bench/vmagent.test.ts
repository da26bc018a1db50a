import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { obtainVmagent } from "../../bench/vmagent.js";

let cache: string;
const given = process.env["VMAGENT"];

beforeEach(async () => {
  delete process.env["VMAGENT"];
  cache = await mkdtemp(path.join(os.tmpdir(), "limpet-vmagent-"));
});

afterEach(async () => {
  if (given !== undefined) process.env["VMAGENT"] = given;
  await rm(cache, { recursive: true, force: true });
});

async function keep(version: string): Promise<string> {
  const binary = path.join(cache, version, "usr/bin/vmagent");
  await mkdir(path.dirname(binary), { recursive: true });
  await writeFile(binary, "");
  return binary;
}

describe("vmagent", () => {
  test("cache: several versions and a half-filled folder -> the newest whole one, by number", async () => {
    await keep("1.99.0+ds1-1");
    const newest = await keep("1.145.0+ds1-2");
    await keep("partial-zzzzzz");
    await mkdir(path.join(cache, "1.999.0"));
    expect(await obtainVmagent(cache)).toEqual({ path: newest, version: "1.145.0+ds1-2" });
  });

  test("VMAGENT: set -> that binary, the cache is not asked", async () => {
    await keep("1.145.0+ds1-2");
    process.env["VMAGENT"] = "/opt/vmagent";
    expect((await obtainVmagent(cache)).path).toBe("/opt/vmagent");
    delete process.env["VMAGENT"];
  });
});
