// Standard input in any pieces -> the same lines, each read once.
import { afterEach, describe, expect, it } from "@jest/globals";
import type { LineDocument } from "#limpet/aggregate/lineDocument.js";
import { Partition } from "#limpet/aggregate/partition.js";
import { readRules } from "#limpet/aggregate/ruleFile.js";
import { createLog } from "#limpet/base/log.js";
import { loadOutputs } from "#limpet/bin/loadOutputs.js";
import { type LineTaker, StdinLines } from "#limpet/drive/stdinLines.js";
import { seededRandom } from "../reference/seededRandom.js";

const NOW = 1_763_870_000_000;
const outputs = await loadOutputs();
const { rules } = readRules([{ name: "r", text: "- { interval: 10s, outputs: [count_samples] }" }], { outputs, env: {}, naming: "telegraf" });
const open: Partition[] = [];
afterEach(() => {
  for (const partition of open.splice(0)) partition.dispose();
});

class Taker implements LineTaker {
  readonly partition = new Partition({ rules, outputs, naming: "telegraf", memoryBytesMax: 2 ** 28, holdMs: 60_000 });
  refusal: string | undefined;
  text = "";
  go: () => void = () => undefined;

  constructor() {
    open.push(this.partition);
  }

  room(): Promise<void> {
    return this.refusal === undefined ? Promise.resolve() : new Promise((resolve) => (this.go = resolve));
  }

  readPiece(document: LineDocument): void {
    this.partition.read(NOW, document);
    for (const { body } of this.partition.take()) this.text += Buffer.from(body).toString();
  }
}

function openStdin(taker: Taker): { readonly stdin: StdinLines; readonly errors: string[] } {
  const errors: string[] = [];
  const log = createLog({ mode: "serve", write: (_stream, line) => errors.push(line), now: () => 0 });
  return { stdin: new StdinLines(taker, log, 0), errors };
}

function write(stdin: StdinLines, text: string): Promise<void> | undefined {
  const room = stdin.room();
  return stdin.received(room.write(text));
}

const line = (i: number): string => `cpu,host=h${String(i % 7)} x=${String(i)},note="a\nb" ${String(NOW)}000000\n`;

describe("stdin lines", () => {
  it("pieces of any size, open quotes and all -> the same lines, in order", async () => {
    const random = seededRandom(3);
    const text = Array.from({ length: 300 }, (_, i) => line(i)).join("");
    const taker = new Taker();
    const { stdin, errors } = openStdin(taker);
    for (let from = 0; from < text.length; ) {
      const next = from + 1 + Math.floor(random() * 200);
      void write(stdin, text.slice(from, next));
      from = next;
    }
    stdin.ended();
    await stdin.taken;
    expect([taker.text, errors]).toEqual([text, []]);
  });

  it("last line without its newline -> read at the end", async () => {
    const taker = new Taker();
    const { stdin } = openStdin(taker);
    void write(stdin, `cpu x=1 ${String(NOW)}000000`);
    expect(taker.text).toBe("");
    stdin.ended();
    await stdin.taken;
    expect(taker.text).toBe(`cpu x=1 ${String(NOW)}000000\n`);
  });

  it("a line beyond all bounds -> one invalid line, and what follows it is read", () => {
    const taker = new Taker();
    const { stdin, errors } = openStdin(taker);
    void write(stdin, `cpu,host=`);
    for (let i = 0; i < 20; i++) void write(stdin, "x".repeat(200_000));
    void write(stdin, `x x=1\ncpu x=2 ${String(NOW)}000000\n`);
    expect(taker.text).toBe(`cpu x=2 ${String(NOW)}000000\n`);
    expect(taker.partition.linesInvalid).toEqual({ syntax: 0, too_long: 1 });
    expect(errors).toHaveLength(1);
  });

  it("the router takes nothing -> reading waits, and goes on when it does", async () => {
    const taker = new Taker();
    const { stdin } = openStdin(taker);
    taker.refusal = "full";
    const waiting = write(stdin, line(1));
    expect(waiting).toBeInstanceOf(Promise);
    expect(taker.text).toBe("");
    taker.refusal = undefined;
    taker.go();
    await waiting;
    expect(taker.text).toBe(line(1));
  });

  it("the end, while the router takes nothing -> what is lost is said", async () => {
    const taker = new Taker();
    const { stdin, errors } = openStdin(taker);
    taker.refusal = "waiting for an assignment";
    void write(stdin, line(1));
    stdin.ended();
    await stdin.taken;
    expect(errors.join("")).toContain(`its last ${String(line(1).length)} bytes are lost: waiting for an assignment`);
    expect(stdin.bytesLost).toBe(line(1).length);
  });
});
