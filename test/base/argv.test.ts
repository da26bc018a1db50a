import { describe, expect, test } from "@jest/globals";
import { normalizeArgv } from "#limpet/base/argv.js";

const LONG = ["rules", "sink", "stay", "help", "listen"];

describe("argv", () => {
  test.each([
    [
      ["-rules", "a.yaml"],
      ["--rules", "a.yaml"],
    ],
    [["-rules=a.yaml"], ["--rules=a.yaml"]],
    [
      ["--rules", "a.yaml"],
      ["--rules", "a.yaml"],
    ],
    [
      ["aggregate", "-port-base", "1"],
      ["aggregate", "--port-base", "1"],
    ],
    [["-listen=a\nb"], ["--listen=a\nb"]],
    [["-"], ["-"]],
    [
      ["--phi", "-0.5", "-17"],
      ["--phi", "-0.5", "-17"],
    ],
    [
      ["x", "--", "-rules", "-c"],
      ["x", "--", "-rules", "-c"],
    ],
  ])("%j -> %j", (given, wanted) => {
    expect(normalizeArgv(given, LONG)).toEqual({ ok: true, argv: wanted });
  });

  test("single letter: long options start with it -> error names them", () => {
    const result = normalizeArgv(["aggregate", "-s", "x"], LONG);
    expect(result).toEqual({ ok: false, message: "-s: there are no single-letter options; use --sink or --stay" });
  });

  test("single letter with a value: nothing fits -> error points to --help", () => {
    const result = normalizeArgv(["-q=1"], LONG);
    expect(result).toEqual({ ok: false, message: "-q=1: there are no single-letter options; --help lists the options" });
  });
});
