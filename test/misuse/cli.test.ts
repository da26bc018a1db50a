// Commands with something wrong in their arguments, files, folders and input: exit code and every line said, in cli.txt.
//
//   --- NAME           a file of the case's folder; `--- NAME -> TARGET` a symbolic link, `--- stdin` standard input
//   $ VAR=x limpet ... the command, run in that folder, which has rules.yaml (good), token (secret), cert.pem and key.pem
//   -> exit code, then what it said: standard error as it is, standard output behind `> `
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { LIMPET } from "../e2e/host.js";
import { type Case, readCases } from "./cases.js";
import { expand } from "./macros.js";

// An hour: no window ends within a case.
const RULES = "- {name: good, match: good, interval: 1h, by: [door], outputs: [sum_samples]}\n";
const AT_ONCE = 3;
const file = readCases("cli.txt");
const results = new Map<string, string>();

beforeAll(async () => {
  const queue = [...file.cases];
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) results.set(next.name, await run(next));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}, 120_000);
afterAll(() => {
  file.close();
});

test.each(file.cases)("$name", ({ name }) => {
  const result = results.get(name) ?? "was not run";
  file.check(name, result);
  // A stack of ours in front of a user is a bug wherever it comes from.
  expect(result).not.toMatch(/ {2}at |TypeError|RangeError|node:internal/);
});

async function run({ name, input }: Case): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "limpet-cli-"));
  try {
    for (const [to, from] of [
      ["cert.pem", "cert.pem"],
      ["key.pem", "key.pem"],
    ] as const)
      copyFileSync(`test/fixtures/tls/${from}`, join(folder, to));
    writeFileSync(join(folder, "rules.yaml"), RULES);
    writeFileSync(join(folder, "token"), "secret\n");
    const stdin = writeFiles(folder, input);
    const command = /^\$ (.*)$/m.exec(input)?.[1];
    if (command === undefined) throw new Error(`${name}: no command`);
    return await say(folder, command.split(" "), stdin);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Writes the case's files. Returns its standard input. */
function writeFiles(folder: string, input: string): string {
  let stdin = "";
  for (const [, path = "", target, text = ""] of input.matchAll(/^--- (\S+)(?: -> (\S+))?\n(.*?)(?=^--- |^\$ )/gms)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    if (path === "stdin") stdin = text;
    else if (target !== undefined) symlinkSync(target, join(folder, path));
    else writeFileSync(join(folder, path), Buffer.from(expand(text), "latin1"));
  }
  return stdin;
}

async function say(cwd: string, words: readonly string[], stdin: string): Promise<string> {
  const env: Record<string, string> = { PATH: process.env["PATH"] ?? "" };
  for (const word of words) {
    const [, name, value] = /^([A-Z_]+)=(.*)$/.exec(word) ?? [];
    if (name !== undefined && value !== undefined) env[name] = value;
  }
  const args = words.slice(words.indexOf("limpet") + 1);
  const child = spawn(process.execPath, [LIMPET, ...args], { cwd, env, stdio: ["pipe", "pipe", "pipe"] });
  const said = { out: "", err: "" };
  child.stdout.on("data", (chunk: Buffer) => (said.out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (said.err += chunk.toString()));
  child.stdin.on("error", () => undefined);
  child.stdin.end(Buffer.from(expand(stdin), "latin1"));
  const timer = setTimeout(() => child.kill("SIGKILL"), 30_000);
  await once(child, "close");
  clearTimeout(timer);
  const out = said.out.replace(/^(?=.)/gm, "> ");
  const text = `${String(child.exitCode ?? child.signalCode)}\n${said.err}${out}`;
  return (
    text
      .replaceAll(cwd, "DIR")
      // How deep is too deep depends on the stack.
      .replace(/^> bad\.yaml:1:\d+: nested too deeply\n.*\n.*$/m, "> bad.yaml:1:N: nested too deeply")
      .replace(/http:\/\/127\.0\.0\.1:\d{5}/g, "http://127.0.0.1:PORT")
      .replace(/getaddrinfo \w+/g, "getaddrinfo CODE")
      .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "TIME")
      .replace(/limpet \d+\.\d+\.\d+/g, "limpet VERSION")
  );
}
