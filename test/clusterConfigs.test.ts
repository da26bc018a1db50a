// Plan: everything in configs that a cluster is made of, as an operator copies it. Every command line in a unit, a manifest or a Telegraf
// file goes through the command's own parser (unknown options, durations, sizes), with its limpet.yaml; ports are those of the defaults;
// rules pass `check`; what names something else (a secret, a claim, labels, a grace period and its deadline) names something that is there.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "@jest/globals";
import { Command } from "commander";
import { parse, parseAllDocuments } from "yaml";
import * as z from "zod";
import { registerAggregate } from "#limpet/bin/commands/aggregate.js";
import { registerAssign } from "#limpet/bin/commands/assign.js";
import { registerRoute } from "#limpet/bin/commands/route.js";
import { applyConfig } from "#limpet/bin/configFile.js";
import { option } from "#limpet/bin/options.js";
import { parseListenAddress } from "#limpet/http/listenAddress.js";

const folder = mkdtempSync(join(tmpdir(), "limpet-configs-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const PORTS: Readonly<Record<string, number>> = { assign: 4580, aggregate: 4581, route: 4582 };
/** What a stop does beside the drain: doors 1 s, router 5 s, sinks 2.5 s. */
const STOP_EXTRA_MS = 10_000;

const optionsShape = z.object({
  listen: z.string().optional(),
  assigner: z.string().optional(),
  advertise: z.string().optional(),
  tokenFile: z.string(),
  store: z.string().optional(),
  data: z.string().optional(),
  /** The assigner has one too, a duration. */
  stay: z.union([z.boolean(), z.number()]).optional(),
  drainDeadline: z.number().optional(),
  memoryMax: z.number().optional(),
  retentionMax: z.number().optional(),
  sinkQueueMax: z.number().optional(),
});

/** What the real command makes of its arguments; throws what it would end with. */
function parsed([name = "", ...args]: readonly string[]): z.infer<typeof optionsShape> {
  const program = new Command();
  for (const register of [registerAssign, registerAggregate, registerRoute]) register(program);
  const command = program.commands.find((known) => known.name() === name);
  if (command === undefined) throw new Error(`no command is called ${name}`);
  command.exitOverride().configureOutput({ writeErr: () => undefined });
  command.addOption(option("--config <file>", "")).action(() => {
    applyConfig(command);
  });
  command.parse([...args], { from: "user" });
  expect(command.args).toEqual([]);
  return optionsShape.parse(command.opts());
}

function expectPorts(name: string, { listen, assigner, advertise }: ReturnType<typeof parsed>): void {
  // Without --listen it is the default, which the documents say.
  if (listen !== undefined) expect(parseListenAddress(listen)).toMatchObject({ ok: true, port: PORTS[name] });
  if (name !== "assign") expect(new URL(assigner ?? "").port).toBe(String(PORTS["assign"]));
  if (advertise !== undefined) expect(new URL(advertise).port).toBe(String(PORTS[name]));
}

describe("configs/systemd", () => {
  test.each([
    ["limpet-assign", "assign"],
    ["limpet-aggregate", "aggregate"],
    ["limpet-route", "route"],
  ])(
    "%s: its command with configs/cluster.yaml -> parsed, its time to stop is longer than the drain, hardened as limpet.service",
    (name, command) => {
      const unit = readFileSync(`configs/systemd/${name}.service`, "utf8");
      const [env, node, program, ...args] = /^ExecStart=(.*)$/m.exec(unit)?.[1]?.split(" ") ?? [];
      expect([env, node, program, args[0]]).toEqual(["/usr/bin/env", "node", "/opt/limpet/limpet.mjs", command]);
      const options = parsed(args.map((word) => word.replace("/etc/limpet/cluster.yaml", "configs/cluster.yaml").replace("%H", "host.example")));
      expectPorts(command, options);
      expect(options.tokenFile).toBe(`\${CREDENTIALS_DIRECTORY}/${/^LoadCredential=(\w+):/m.exec(unit)?.[1] ?? ""}`);
      const stopMs = Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1]) * 1000;
      expect(stopMs).toBeGreaterThanOrEqual((options.drainDeadline ?? -5000) + STOP_EXTRA_MS);
      if (options.data !== undefined)
        expect(options).toMatchObject({ stay: true, data: `/var/lib/${/^StateDirectory=(.*)$/m.exec(unit)?.[1] ?? ""}` });
      if (options.store !== undefined) expect(options.store).toBe(`file:/var/lib/${/^StateDirectory=(.*)$/m.exec(unit)?.[1] ?? ""}`);
      for (const line of ["Restart=on-failure", "RestartPreventExitStatus=2", "DynamicUser=yes", "EnvironmentFile=-/etc/limpet/environment"])
        expect(unit.split("\n")).toContain(line);
      const single = readFileSync("configs/systemd/limpet.service", "utf8");
      expect(unit.endsWith(single.slice(single.indexOf("LimitNOFILE")))).toBe(true);
    },
  );
});

describe("configs/telegraf", () => {
  test("limpet-router.conf -> a command `limpet route` takes, the assigner's port", () => {
    const text = readFileSync("configs/telegraf/limpet-router.conf", "utf8");
    const words = [...(/^\s*command = \[([\s\S]*?)\]/m.exec(text)?.[1]?.matchAll(/"([^"]*)"/g) ?? [])].map((match) => match[1] ?? "");
    expect(words.slice(0, 3)).toEqual(["node", "/opt/limpet/dist/bin/limpet.js", "route"]);
    expectPorts("route", parsed(words.slice(2)));
    // The rest is what the single process gets.
    const rest = (file: string): string => /\n {2}environment = [\s\S]*/.exec(file)?.[0] ?? "";
    expect(rest(text)).toBe(rest(readFileSync("configs/telegraf/limpet-output.conf", "utf8")));
  });

  test("limpet-gateway.conf -> a door of the router, the token file of its unit", () => {
    const text = readFileSync("configs/telegraf/limpet-gateway.conf", "utf8");
    expect(new URL(/urls = \["(.*)"\]/.exec(text)?.[1] ?? "").port).toBe(String(PORTS["route"]));
    expect(readFileSync("configs/systemd/limpet-route.service", "utf8")).toContain("/etc/limpet/tokens");
    expect(text).toContain("influx_uint_support = true");
  });
});

const labelsShape = z.record(z.string(), z.string());
const containerShape = z.object({
  args: z.array(z.string()),
  ports: z.tuple([z.object({ name: z.string(), containerPort: z.number() })]),
  livenessProbe: z.object({ httpGet: z.object({ path: z.literal("/healthz"), port: z.literal("http") }) }),
  readinessProbe: z.object({ httpGet: z.object({ path: z.literal("/readyz"), port: z.literal("http") }) }),
  resources: z.object({ limits: z.object({ memory: z.string() }) }),
  env: z.array(z.object({ name: z.string() })).default([]),
  volumeMounts: z.array(z.object({ name: z.string(), mountPath: z.string() })),
});
const deploymentShape = z.object({
  spec: z.object({
    replicas: z.number(),
    strategy: z.object({ type: z.string(), rollingUpdate: z.unknown().optional() }),
    selector: z.object({ matchLabels: labelsShape }),
    template: z.object({
      metadata: z.object({ labels: labelsShape }),
      spec: z.object({
        terminationGracePeriodSeconds: z.number(),
        containers: z.tuple([containerShape]),
        volumes: z.array(
          z.object({
            name: z.string(),
            persistentVolumeClaim: z.object({ claimName: z.string() }).optional(),
            configMap: z.object({ name: z.string() }).optional(),
            secret: z.object({ secretName: z.string() }).optional(),
          }),
        ),
      }),
    }),
  }),
});
const objectShape = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.object({ name: z.string(), labels: labelsShape }),
  data: labelsShape.optional(),
  stringData: labelsShape.optional(),
});

function objectsIn(folder: string): z.infer<typeof objectShape>[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith(".yaml"))
    .flatMap((file) =>
      parseAllDocuments(readFileSync(join(folder, file), "utf8")).map((document) => {
        expect([file, document.errors, document.warnings]).toEqual([file, [], []]);
        return objectShape.parse(document.toJS());
      }),
    );
}

const objects = objectsIn("configs/kubernetes");

function named(kind: string, name: string): z.infer<typeof objectShape> {
  const found = objects.filter((object) => object.kind === kind && object.metadata.name === name);
  expect([kind, name, found.length]).toEqual([kind, name, 1]);
  return objectShape.parse(found[0]);
}

describe("configs/kubernetes", () => {
  test.each([
    ["limpet-assigner", "assign"],
    ["limpet-aggregator", "aggregate"],
  ])("Deployment %s: arguments -> parsed, port right, every path mounted, every volume there, labels match", (name, command) => {
    const { spec } = deploymentShape.parse(named("Deployment", name));
    const [container] = spec.template.spec.containers;
    expect(container.args[0]).toBe(command);
    const declared = new Set(container.env.map((variable) => variable.name));
    const args = container.args.map((arg) => arg.replace(/\$\((\w+)\)/g, (_, variable: string) => (declared.has(variable) ? "10.0.0.7" : "?")));
    const options = parsed(args);
    expectPorts(command, options);
    expect(container.ports[0]).toEqual({ name: "http", containerPort: PORTS[command] });
    expect(spec.selector.matchLabels).toEqual(spec.template.metadata.labels);
    for (const volume of spec.template.spec.volumes) {
      if (volume.persistentVolumeClaim !== undefined) named("PersistentVolumeClaim", volume.persistentVolumeClaim.claimName);
      if (volume.configMap !== undefined) named("ConfigMap", volume.configMap.name);
      if (volume.secret !== undefined) expect(Object.keys(named("Secret", volume.secret.secretName).stringData ?? {})).toEqual(["tokens"]);
    }
    const mounts = container.volumeMounts.map(({ mountPath }) => mountPath);
    for (const path of args.flatMap((arg) => /(\/(?:etc|var)\/.*)$/.exec(arg)?.[1] ?? []))
      expect([path, mounts.some((mount) => path === mount || path.startsWith(`${mount}/`))]).toEqual([path, true]);
    expect(container.volumeMounts.map((mount) => mount.name).sort()).toEqual(spec.template.spec.volumes.map((volume) => volume.name).sort());
  });

  test("Deployment limpet-aggregator: a rollout -> a pod more first, its grace longer than the drain, memory beyond its caps", () => {
    const { spec } = deploymentShape.parse(named("Deployment", "limpet-aggregator"));
    expect(spec.strategy).toEqual({ type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } });
    const [{ args, resources }] = spec.template.spec.containers;
    const { drainDeadline = Number.NaN, memoryMax = 0, retentionMax = 0, sinkQueueMax = 0 } = parsed(args);
    expect(spec.template.spec.terminationGracePeriodSeconds * 1000).toBeGreaterThanOrEqual(drainDeadline + STOP_EXTRA_MS);
    expect(resources.limits.memory).toBe(`${String((memoryMax + retentionMax + sinkQueueMax) / 2 ** 20 + 1024)}Mi`);
  });

  test("Deployment limpet-assigner: its Service -> answers before it is ready, since aggregators make it ready; one pod, one after the other", () => {
    const { spec } = deploymentShape.parse(named("Deployment", "limpet-assigner"));
    expect([spec.replicas, spec.strategy.type]).toEqual([1, "Recreate"]);
    const serviceShape = z.object({
      spec: z.object({ selector: labelsShape, publishNotReadyAddresses: z.boolean().optional(), ports: z.unknown() }),
    });
    const assigner = serviceShape.parse(named("Service", "limpet-assigner"));
    expect(assigner.spec).toEqual({
      selector: spec.template.metadata.labels,
      publishNotReadyAddresses: true,
      ports: [{ name: "http", port: PORTS["assign"], targetPort: "http" }],
    });
    const [{ args }] = deploymentShape.parse(named("Deployment", "limpet-aggregator")).spec.template.spec.containers;
    expect(args).toContain("--assigner=http://limpet-assigner:4580");
    const doors = serviceShape.parse(named("Service", "limpet"));
    expect(doors.spec.ports).toEqual([{ name: "http", port: PORTS["aggregate"], targetPort: "http" }]);
  });

  test("in-place: the StatefulSet -> the Deployment's pods, under names that stay, with a volume each for --data", () => {
    const inPlace = objectsIn("configs/kubernetes/in-place");
    const shape = z.object({
      spec: z.object({
        serviceName: z.string(),
        selector: z.unknown(),
        template: deploymentShape.shape.spec.shape.template,
        volumeClaimTemplates: z.tuple([z.object({ metadata: z.object({ name: z.string() }) })]),
      }),
    });
    const { spec } = shape.parse(inPlace.find(({ kind }) => kind === "StatefulSet"));
    const deployment = deploymentShape.parse(named("Deployment", "limpet-aggregator")).spec;
    expect([spec.template.metadata, spec.selector]).toEqual([deployment.template.metadata, deployment.selector]);
    const [container] = spec.template.spec.containers;
    expect(container.env).toEqual([{ name: "POD_NAME" }]);
    const options = parsed(container.args.map((arg) => arg.replace("$(POD_NAME)", "limpet-aggregator-0")));
    expectPorts("aggregate", options);
    expect(options).toMatchObject({ stay: true, advertise: `http://limpet-aggregator-0.${spec.serviceName}:4581` });
    const volumes = new Map(container.volumeMounts.map(({ name, mountPath }) => [name, mountPath]));
    expect(volumes.get(spec.volumeClaimTemplates[0].metadata.name)).toBe(options.data);
    expect(spec.template.spec.terminationGracePeriodSeconds * 1000).toBeGreaterThanOrEqual((options.drainDeadline ?? 0) + STOP_EXTRA_MS);
    const service = inPlace.find(({ kind }) => kind === "Service");
    expect([service?.metadata.name, service?.["spec"]]).toEqual([
      spec.serviceName,
      expect.objectContaining({ clusterIP: "None", publishNotReadyAddresses: true, selector: spec.template.metadata.labels }),
    ]);
    // What differs are the address, --data, --stay and the deadline.
    const kept = (args: readonly string[]): string[] => args.filter((arg) => !/^--(advertise|data|stay|drain-deadline)\b/.test(arg));
    expect(kept(container.args)).toEqual(kept(deployment.template.spec.containers[0].args));
  });

  test("selectors of Services, budget and policies -> labels of a Deployment's pods", () => {
    const pods = ["limpet-assigner", "limpet-aggregator"].map(
      (name) => deploymentShape.parse(named("Deployment", name)).spec.template.metadata.labels,
    );
    const shape = z
      .object({ selector: labelsShape.or(z.object({ matchLabels: labelsShape })) })
      .or(z.object({ podSelector: z.object({ matchLabels: labelsShape }) }));
    const others = objects.filter(({ kind }) => ["Service", "PodDisruptionBudget", "NetworkPolicy"].includes(kind));
    expect(others).toHaveLength(5);
    for (const { spec } of others) {
      const found = shape.parse(spec);
      const selector = "podSelector" in found ? found.podSelector : found.selector;
      expect(pods).toContainEqual("matchLabels" in selector ? selector.matchLabels : selector);
    }
  });

  test("ConfigMap limpet-rules -> passes `limpet check`", () => {
    const files = Object.entries(named("ConfigMap", "limpet-rules").data ?? {});
    expect(files.length).toBeGreaterThan(0);
    for (const [file, text] of files) writeFileSync(join(folder, file), text);
    const result = spawnSync(process.execPath, ["dist/bin/limpet.js", "check", ...files.map(([file]) => join(folder, file))], { encoding: "utf8" });
    expect({ status: result.status, text: result.stdout + result.stderr }).toEqual({ status: 0, text: expect.stringContaining("ok") });
  });
});

describe("operating.md", () => {
  test("alerts -> YAML, each of metrics that exist", () => {
    const alertsShape = z.array(z.object({ alert: z.string(), expr: z.string(), for: z.string().optional() }));
    const blocks = [...readFileSync("docs/operating.md", "utf8").matchAll(/^```yaml\n(- alert: [\s\S]*?)^```$/gm)];
    expect(blocks).toHaveLength(2);
    const known = readdirSync("src/selfstat")
      .map((file) => readFileSync(`src/selfstat/${file}`, "utf8"))
      .join("");
    const names = blocks.flatMap((block) => alertsShape.parse(parse(block[1] ?? "")).flatMap(({ expr }) => expr.match(/limpet_\w+/g) ?? []));
    expect(names.length).toBeGreaterThan(8);
    for (const name of names) expect(known).toContain(`"${name}"`);
  });
});
