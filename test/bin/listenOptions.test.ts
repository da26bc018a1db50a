import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "@jest/globals";
import { readListenOptions } from "#limpet/bin/listenOptions.js";

const folder = mkdtempSync(join(tmpdir(), "limpet-listen-"));
const file = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};
const CERT = "test/fixtures/tls/cert.pem";
const KEY = "test/fixtures/tls/key.pem";

afterAll(() => {
  rmSync(folder, { recursive: true });
});

describe("listen options", () => {
  test("nothing given -> no token, no TLS", () => {
    expect(readListenOptions({})).toEqual({ tokens: undefined, adminTokens: undefined, tls: undefined });
  });

  test("token files -> each line a token, comments and blank lines none", () => {
    const { tokens, adminTokens } = readListenOptions({ tokenFile: file("t", "# old\none\r\n\n two \n"), adminTokenFile: file("a", "admin") });
    const admits = (token: string): unknown[] =>
      [tokens, adminTokens].map((known) => known?.admits({ authorization: `Bearer ${token}` }, new URLSearchParams()));
    expect(["one", "two", "admin", "# old", "#"].map(admits)).toEqual([
      [true, false],
      [true, false],
      [false, true],
      [false, false],
      [false, false],
    ]);
  });

  test.each([
    [{ tokenFile: "/nowhere" }, "--token-file: /nowhere: cannot be read (ENOENT)"],
    [{ adminTokenFile: file("empty", "# none\n\n") }, "holds no token; write one per line"],
    [{ tlsCert: CERT }, "--tls-cert and --tls-key belong together; give both"],
    [{ tlsKey: KEY }, "--tls-cert and --tls-key belong together; give both"],
    [{ tlsCert: "/nowhere", tlsKey: KEY }, "--tls-cert /nowhere: cannot be read (ENOENT)"],
    [{ tlsCert: KEY, tlsKey: CERT }, `--tls-cert ${KEY}, --tls-key ${CERT}: `],
  ])("%j -> %s", (options, message) => {
    expect(() => readListenOptions(options)).toThrow(message);
  });
});
