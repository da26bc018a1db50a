// Plan: what any version has written is read as it was meant. `npm run fixtures` writes the set of today's version once, when
// SNAPSHOT_VERSION has risen; sets that are there are never written again, and never go.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { afterEach, describe, expect, test } from "@jest/globals";
import { SNAPSHOT_VERSION } from "#limpet/aggregate/snapshotHeader.js";
import { disposeEngines } from "../aggregate/openEngine.js";
import { type FrozenSet, KINDS } from "./kinds.js";

const FOLDER = new URL("../fixtures/frozen/", import.meta.url);
/** Of version 1 there is a snapshot alone (fixtures/snapshot-v1.bin): it had no cluster. */
const FIRST = 2;
const versions = Array.from({ length: SNAPSHOT_VERSION - FIRST + 1 }, (_, i) => FIRST + i);
const folderOf = (version: number): URL => new URL(`${String(version)}/`, FOLDER);
const meaningOf = (file: string): string => `${file}.means.json`;
const asJson = (meaning: unknown): string => `${JSON.stringify(meaning, undefined, 1)}\n`;

afterEach(disposeEngines);

function setOf(version: number): FrozenSet {
  return new Map(readdirSync(folderOf(version)).map((file) => [file, readFileSync(new URL(file, folderOf(version)))]));
}

function write(version: number): void {
  const set: FrozenSet = new Map(KINDS.map(({ file, make }) => [file, Buffer.from(make())]));
  mkdirSync(folderOf(version), { recursive: true });
  for (const { file, read } of KINDS) {
    const bytes = set.get(file) ?? Buffer.alloc(0);
    writeFileSync(new URL(file, folderOf(version)), bytes);
    writeFileSync(new URL(meaningOf(file), folderOf(version)), asJson(read(bytes, set)));
  }
}

if (process.env["UPDATE"] === "1" && !existsSync(folderOf(SNAPSHOT_VERSION))) write(SNAPSHOT_VERSION);

describe("frozen", () => {
  test("versions: each from the first on -> has its set, of every kind there was", () => {
    expect(versions.filter((version) => !existsSync(folderOf(version)))).toEqual([]);
    const newest = [...setOf(SNAPSHOT_VERSION).keys()].filter((file) => !file.endsWith(".means.json"));
    expect(newest.sort()).toEqual(KINDS.map(({ file }) => file).sort());
  });

  for (const version of versions.filter((one) => existsSync(folderOf(one)))) {
    const set = setOf(version);
    test.each(KINDS.filter(({ file }) => set.has(file)))(`version ${String(version)}: $file -> means what it meant`, ({ file, read }) => {
      const meaning = set.get(meaningOf(file))?.toString("utf8") ?? "";
      // What was added since may be there too.
      expect(JSON.parse(asJson(read(set.get(file) ?? Buffer.alloc(0), set)))).toMatchObject(JSON.parse(meaning) as object);
    });
  }

  test.each(KINDS.filter(({ file }) => file.endsWith(".json")))("today: $file -> read as it was written", ({ make, read }) => {
    const bytes = Buffer.from(make());
    // Undefined is left out, and generations are texts on the wire.
    const plain = (value: unknown): unknown =>
      JSON.parse(JSON.stringify(value, (_, one: unknown) => (isGeneration(one) ? `${String(one.incarnation)}.${String(one.number)}` : one)));
    const read1 = plain(read(bytes, new Map()));
    const written: unknown = JSON.parse(bytes.toString("utf8"));
    if (JSON.stringify(written).includes("limpet-seq")) expect(read1).toMatchObject({ head: { seq: 18, router: "gateway.0a1b" } });
    else expect(read1).toEqual(written);
  });
});

function isGeneration(value: unknown): value is { incarnation: number; number: number } {
  return typeof value === "object" && value !== null && "incarnation" in value && typeof value.incarnation === "number" && "number" in value;
}
