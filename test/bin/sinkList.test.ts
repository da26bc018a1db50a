// Plan: `sinks:` of limpet.yaml as text in, options or messages with their places out; no message holds a secret.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "@jest/globals";
import { formatProblem, ProblemList, sourceFile } from "#limpet/aggregate/ruleFileProblem.js";
import { readYaml } from "#limpet/aggregate/ruleFileYaml.js";
import { readSinkList, type SinkEntry } from "#limpet/bin/sinkList.js";
import { authorization } from "#limpet/sink/secret.js";

const folder = mkdtempSync(join(tmpdir(), "limpet-sinks-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});
const CERT = "test/fixtures/tls/cert.pem";
const KEY = "test/fixtures/tls/key.pem";
const secretFile = join(folder, "secret");
const emptyFile = join(folder, "empty");
writeFileSync(secretFile, " from-file\n");
writeFileSync(emptyFile, "\n");

function read(text: string): { readonly entries: readonly SinkEntry[]; readonly said: readonly string[] } {
  const file = sourceFile("f", text);
  const problems = new ProblemList();
  const list = readYaml(file, { HIDDEN: "from-env" }, problems);
  const entries = list === undefined ? [] : readSinkList(list, { file, problems });
  return { entries, said: problems.problems.map(formatProblem) };
}

const one = (keys: string): string => `- url: https://h/w\n${keys.replace(/^/gm, "  ")}`;

describe("sinks of limpet.yaml", () => {
  test("sinks: every key -> its option", () => {
    const tls = `ca_file: ${CERT}\ncert_file: ${CERT}\nkey_file: ${KEY}\nserver_name: inner\ninsecure_skip_verify: true`;
    const marks = "staleness_markers: false\nzero_injection: false";
    const rest =
      "name: a\nprotocol: 2.0\nheaders: {X-Scope-OrgID: 7, x-b: c}\nqueue_max: 1MiB\nmax_age: 2h\ntimeout: 500ms\nusername: u\npassword: p";
    const { entries, said } = read(`${one(`${tls}\n${marks}\n${rest}`)}\n- url: file:rows\n- url: 'stdout:'\n  queue_max: 5`);
    expect(said).toEqual([]);
    expect(entries.map(({ url }) => url)).toEqual(["https://h/w", "file:rows", "stdout:"]);
    expect(entries[0]?.options).toMatchObject({
      name: "a",
      protocol: "2.0",
      headers: { "x-scope-orgid": "7", "x-b": "c" },
      queueBytesMax: 2 ** 20,
      maxAgeMs: 7_200_000,
      timeoutMs: 500,
      withoutMarks: new Set(["stale", "zero"]),
      tls: {
        ca: expect.stringContaining("CERTIFICATE"),
        cert: expect.anything(),
        key: expect.stringContaining("KEY"),
        serverName: "inner",
        insecure: true,
      },
    });
    expect(entries[2]?.options).toMatchObject({ queueBytesMax: 5 });
  });

  test.each([
    ["username: u\npassword: p:w", `Basic ${Buffer.from("u:p:w").toString("base64")}`],
    ["username: u\npassword: 123", `Basic ${Buffer.from("u:123").toString("base64")}`],
    [`username: u\npassword_file: ${secretFile}`, `Basic ${Buffer.from("u:from-file").toString("base64")}`],
    ['token: "%{HIDDEN}"', "Bearer from-env"],
    [`token_file: ${secretFile}`, "Bearer from-file"],
  ])("sinks: %s -> %s", (keys, header) => {
    const { entries, said } = read(one(keys));
    expect(said).toEqual([]);
    const access = entries[0]?.options.access;
    expect(access && authorization(access)).toBe(header);
  });

  test.each([
    ["{url: x}", ["f:1:1: sinks: a map is not a list; - url: ..."]],
    ["- http://h/w", ['f:1:3: sinks[0]: "http://h/w" is not a map; write it as url: ...']],
    ["- name: a", ["f:1:3: sinks[0]: names no url; url: http://127.0.0.1:9090/api/v1/write"]],
    [one("tokn: hush"), ["f:2:3: sinks[0].tokn: no such key for this kind of sink; did you mean token?"]],
    ["- {url: 'file:x', token: hush}", ["f:1:19: sinks[0].token: no such key for this kind of sink; use url or queue_max"]],
    [one("token: hush\npassword: hush"), ["stands beside password", "has no username"]],
    [one("token: [hush]"), ["sinks[0].token: a list is not a text"]],
    [one('token: "hush\\n"'), ["sinks[0].token: Invalid character in header content"]],
    [one("token: hush\nusername: u"), ["has no password; add password or password_file"]],
    [one("token_file: /nowhere"), ["/nowhere cannot be read"]],
    [one(`token_file: ${emptyFile}`), ["is empty"]],
    [one("password: hush"), ["has no username; add username"]],
    [one(`ca_file: ${secretFile}`), ["holds no PEM block"]],
    [one("ca_file: /nowhere"), ['"/nowhere": cannot be read (ENOENT)']],
    [one(`cert_file: ${CERT}`), ["cert_file: has no key_file; they belong together"]],
    [one(`cert_file: ${KEY}\nkey_file: ${CERT}`), ["its TLS files cannot be used"]],
    ["- {url: 'http://h/w', server_name: a}", ["server_name: means nothing without TLS; use https:// in the url"]],
    [one("protocol: 3.0"), ["protocol: 3.0: not one of auto, 1.0, 2.0"]],
    [one("queue_max: much"), ["queue_max: much: not a size; use e.g. 512MiB or 2GiB"]],
    [one("max_age: 10ms"), ["10ms is less than 1s"]],
    [one("headers: [a]"), ["a list is not a map"]],
    [
      one("headers: {Authorization: hush, 'a b': c, x: [y]}"),
      ["credentials have keys of their own", "must be a valid HTTP token", "a list is not a text"],
    ],
  ])("sinks: %s -> said, with its place, and no secret", (text, expected) => {
    const { entries, said } = read(text);
    expect(entries).toEqual([]);
    expect(said).toHaveLength(expected.length);
    for (const [i, part] of expected.entries()) expect(said[i]).toContain(part);
    expect(said.join("\n")).not.toContain("hush");
  });
});
