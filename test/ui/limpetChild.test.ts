// Plan: a stand-in for a process that is slow to stop, as one that hands its slices on is.
import { describe, expect, test } from "@jest/globals";
import { startChild } from "#limpet/ui/limpetChild.js";

/** Longer than process libraries wait by themselves before they kill. */
const SLOW = `process.on("SIGTERM", () => setTimeout(() => process.exit(7), 5_500));
process.stdin.resume();
console.error("I! listening on http://127.0.0.1:1/");
console.error("W! careful");`;

describe("limpet child", () => {
  test("limpet child: SIGTERM, and it takes more than 5 s -> nobody kills it; its address and warnings were heard", async () => {
    const child = await startChild([process.execPath, "-e", SLOW], []);
    expect(await child.listening()).toBe("http://127.0.0.1:1");
    child.kill("SIGTERM");
    expect(await child.ended).toMatchObject({ exitCode: 7, signal: undefined, ledger: undefined });
    expect(child.problems()).toEqual(["W! careful"]);
  }, 30_000);
});
