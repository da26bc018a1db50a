import { describe, expect, test } from "@jest/globals";
import { startMeasured } from "../../bench/measured.js";

const node = (script: string): { command: string; args: string[] } => ({ command: process.execPath, args: ["-e", script] });

describe("measured", () => {
  test("cost: a process that burns 0.4 s of CPU on two threads and 100 MB -> both are seen", async () => {
    const burn = "const end = process.cpuUsage().user + 2e5; while (process.cpuUsage().user < end);";
    const script = `${burn} const kept = Buffer.alloc(1e8, 1); const { Worker } = require("worker_threads"); new Worker(${JSON.stringify(burn)}, { eval: true }).on("exit", () => setTimeout(() => kept, 200));`;
    const cost = await startMeasured(node(script)).ended;
    expect(cost.cpuSeconds).toBeGreaterThan(0.4);
    expect(cost.cpuSeconds).toBeLessThan(4);
    expect(cost.rssMaxMegabytes).toBeGreaterThan(100);
  });

  test("log: a line on stderr -> found; a line that never comes -> rejected when the process ends", async () => {
    const child = startMeasured(node("console.error('port 4711')"));
    expect((await child.logged(/port (\d+)/))[1]).toBe("4711");
    await expect(child.logged(/never/)).rejects.toThrow(/ended without logging/);
  });

  test("end: status 3 -> rejected with what it said", async () => {
    await expect(startMeasured(node("console.error('no such rule'); process.exit(3)")).ended).rejects.toThrow(/status 3[\s\S]*no such rule/);
  });

  test("terminate: a process that finishes its work on SIGTERM -> ended, its cost known", async () => {
    const child = startMeasured(node("process.on('SIGTERM', () => process.exit(0)); setInterval(() => {}, 1000); console.error('ready')"));
    await child.logged(/ready/);
    child.terminate();
    expect((await child.ended).cpuSeconds).toBeGreaterThan(0);
  });
});
