// There is no container engine where the tests run: the Dockerfile's own lines are run in a temporary copy instead.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "@jest/globals";
import { parseDockerfile, runStages } from "./dockerfile.js";

const { args, stages } = parseDockerfile(readFileSync("Dockerfile", "utf8"));
const last = stages.at(-1);
const folder = mkdtempSync(join(tmpdir(), "limpet-docker-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** The argument of the last stage's only line with this verb. */
function argumentOf(verb: string): string {
  const found = last?.steps.filter((step) => step.verb === verb) ?? [];
  if (found.length !== 1) throw new Error(`${found.length} ${verb} lines in the last stage, one is wanted`);
  return found[0]?.rest ?? "";
}

function words(json: string): string[] {
  const parsed: unknown = JSON.parse(json);
  if (!Array.isArray(parsed)) throw new Error(`not a list: ${json}`);
  return parsed.map(String);
}

async function run(command: readonly string[], cwd: string, env: Readonly<Record<string, string>> = {}): Promise<{ code: unknown; output: string }> {
  const [program = "", ...rest] = command;
  const child = spawn(program === "node" ? process.execPath : program, rest, {
    cwd,
    env: { PATH: process.env.PATH, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  const ended: unknown[] = await once(child, "close");
  return { code: ended[0], output };
}

describe("Dockerfile", () => {
  test("last stage: not root, stops by SIGTERM, base image of a Node that package.json allows", () => {
    expect(argumentOf("USER")).toBe("node");
    expect(argumentOf("STOPSIGNAL")).toBe("SIGTERM");
    expect(last?.from).toMatch(/^node:\$\{NODE\}-/);
    expect(Number(args.NODE)).toBeGreaterThanOrEqual(20);
    expect(words(argumentOf("CMD"))).toEqual(["--help"]);
  });

  test("its lines, run in a temporary copy -> a limpet that starts with production packages only", async () => {
    // The packages were fetched once already by `npm ci`; npm's own cache serves them again.
    const env = { ...process.env, npm_config_prefer_offline: "true", npm_config_update_notifier: "false", NODE_ENV: "" };
    const app = runStages(stages, process.cwd(), folder, env).at(-1) ?? "";
    const packageJson: unknown = JSON.parse(readFileSync("package.json", "utf8"));
    const { version, dependencies, devDependencies } = packageJson as { version: string; dependencies: object; devDependencies: object }; // our own file
    const result = await run([...words(argumentOf("ENTRYPOINT")), "--version"], app);
    expect({ code: result.code, output: result.output.trim() }).toEqual({ code: 0, output: version });
    expect((await run([...words(argumentOf("ENTRYPOINT")), ...words(argumentOf("CMD"))], app)).output).toContain("aggregate");
    for (const name of Object.keys(dependencies)) expect([name, existsSync(join(app, "node_modules", name))]).toEqual([name, true]);
    for (const name of Object.keys(devDependencies)) expect([name, existsSync(join(app, "node_modules", name))]).toEqual([name, false]);
    // As `npm run build` leaves it: without the link the kernel is half as slow again.
    expect(existsSync(join(app, "dist/kernel/linked.js"))).toBe(true);
    expect(readdirSync(app).sort()).toEqual(["LICENSE", "configs", "dist", "node_modules", "package.json"]);
  }, 120_000);

  test("health check -> 0 while /healthz of its address answers 200, with TLS too; 1 for 503 and for nobody there; empty: 0", async () => {
    let status = 200;
    const tls = { cert: readFileSync("test/fixtures/tls/cert.pem"), key: readFileSync("test/fixtures/tls/key.pem") };
    const listener: RequestListener = (request, response) => {
      response.writeHead(request.url === "/healthz" ? status : 404).end();
    };
    const command = words(argumentOf("HEALTHCHECK").replace(/^.*?CMD /, ""));
    for (const [scheme, server] of [
      ["http", createServer(listener)],
      ["https", createTlsServer(tls, listener)],
    ] as const) {
      await once(server.listen(0, "127.0.0.1"), "listening");
      const address = server.address();
      const url = `${scheme}://127.0.0.1:${String(typeof address === "object" ? address?.port : 0)}/healthz`;
      const code = async (): Promise<unknown> => (await run(command, folder, { HEALTHCHECK_URL: url })).code;
      status = 200;
      expect([url, await code()]).toEqual([url, 0]);
      status = 503;
      expect([url, await code()]).toEqual([url, 1]);
      server.close();
      server.closeAllConnections();
      expect([url, await code()]).toEqual([url, 1]);
    }
    expect((await run(command, folder, { HEALTHCHECK_URL: "" })).code).toBe(0);
    expect(argumentOf("ENV")).toContain("HEALTHCHECK_URL=http://127.0.0.1:4581/healthz");
  });
});
