// Turns the fleet into line protocol, one host's batch at a time, as the Telegraf on that host would flush it.
//
// Traffic rises and falls in a slow wave. Now and then a pod restarts (its counters go back to 0), is replaced (a new
// name: the churn that makes per-pod series expensive), or one service in one region has an incident for a while
// (slow requests, many 500s). Everything follows from the seed and the times passed in: same calls, same bytes.
// It knows no clock and no pace; pump.ts has both.
import type { Rng } from "../base/rng.js";
import { createRng } from "../base/rng.js";
import { buildFleet, buildPod, type Host, METHODS, type Pod, REGIONS, ROUTES, SERVICES } from "./fleet.js";
import type { LineWriter } from "./lineWriter.js";

export interface LoadGenerator {
  readonly podCount: number;
  readonly hostCount: number;
  /** Lines of one round over all hosts. */
  readonly linesPerRound: number;
  /** Index of the host whose batch comes next, 0 <= nextHost < hostCount. */
  readonly nextHost: number;
  /** Writes the next host's batch with samples at `nowMs` (ms since the epoch, never going back); returns its lines. */
  writeBatch(writer: LineWriter, nowMs: number): number;
}

interface Incident {
  readonly service: string;
  readonly region: string;
  readonly untilMs: number;
}

const WAVE_PERIOD_MS = 90_000;
const LATENCY_SIGMA = 0.55;
const REPLACED_PER_BATCH = 0.004;
const RESTARTED_PER_BATCH = 0.004;
const INCIDENT_GAP_MS = 25_000;
const INCIDENT_LENGTH_MS = 12_000;
const INTEGER_SUFFIX = 105; // i
const LINES_PER_HOST = 3;

const LINES_PER_POD = 9.7;
const PODS_MIN = 200;
const PODS_MAX = 10_000;

/** The fleet that reports about once a second at that rate; less or more often where the fleet would be tiny or huge. */
export function podCountFor(linesPerSecond: number): number {
  return clamp(Math.round(linesPerSecond / LINES_PER_POD), PODS_MIN, PODS_MAX);
}

/** @param podCount at least 1; a pod writes about LINES_PER_POD lines per round, its share of its host's included. */
export function createGenerator(seed: number, podCount: number): LoadGenerator {
  const rng = createRng(seed);
  const hosts = buildFleet(podCount, rng);
  let nextHost = 0;
  let incident: Incident | undefined;
  let incidentCheckMs = 0;

  return {
    podCount,
    hostCount: hosts.length,
    get nextHost() {
      return nextHost;
    },
    linesPerRound: hosts.reduce((sum, host) => sum + host.pods.reduce((lines, pod) => lines + podLines(pod), LINES_PER_HOST), 0),
    writeBatch(writer, nowMs) {
      const host = hosts[nextHost];
      if (host === undefined) throw new Error("the fleet has no hosts");
      nextHost = (nextHost + 1) % hosts.length;
      if (nowMs >= incidentCheckMs) {
        incident = incidentCheckMs === 0 ? undefined : drawIncident(rng, nowMs);
        incidentCheckMs = nowMs + INCIDENT_GAP_MS;
      }
      churn(host, rng);
      const end = Buffer.from(` ${String(nowMs)}000000\n`);
      const wave = 1 + 0.35 * Math.sin((2 * Math.PI * (nowMs % WAVE_PERIOD_MS)) / WAVE_PERIOD_MS);
      writeHost(writer, host, rng, end);
      let lines = LINES_PER_HOST;
      for (const pod of host.pods) {
        const inIncident =
          incident !== undefined && nowMs < incident.untilMs && incident.region === host.region && incident.service === pod.service.name;
        lines += writePod(writer, pod, { rng, nowMs, end, wave, inIncident });
      }
      return lines;
    },
  };
}

function podLines(pod: Pod): number {
  return ROUTES.length + METHODS.length + 2 + (pod.keys.queue === undefined ? 0 : 1);
}

function drawIncident(rng: Rng, nowMs: number): Incident | undefined {
  const service = SERVICES[rng.int(SERVICES.length)];
  const region = REGIONS[rng.int(REGIONS.length)];
  if (service === undefined || region === undefined) return undefined;
  return { service: service.name, region, untilMs: nowMs + INCIDENT_LENGTH_MS };
}

function churn(host: Host, rng: Rng): void {
  if (rng.next() < REPLACED_PER_BATCH) {
    const index = rng.int(host.pods.length);
    const old = host.pods[index];
    if (old !== undefined) host.pods[index] = buildPod(old.service, host, rng);
  }
  if (rng.next() < RESTARTED_PER_BATCH) host.pods[rng.int(host.pods.length)]?.counts.fill(0);
}

function writeHost(writer: LineWriter, host: Host, rng: Rng, end: Uint8Array): void {
  host.cpuBusy = clamp(host.cpuBusy + 3 * rng.normal(), 2, 97);
  const user = Math.round(host.cpuBusy * 760);
  const system = Math.round(host.cpuBusy * 240);
  writer.raw(host.cpuKey);
  writer.ascii("usage_user=");
  writer.thousandths(user);
  writer.ascii(",usage_system=");
  writer.thousandths(system);
  writer.ascii(",usage_idle=");
  writer.thousandths(100_000 - user - system);
  writer.raw(end);

  const used = 6e9 + host.pods.length * 1.1e9 + rng.int(4e8);
  const percent = Math.round((used / 32e9) * 100_000);
  writer.raw(host.memKey);
  // Telegraf's fields come in no fixed order.
  if (rng.int(2) === 0) {
    integerField(writer, "used=", used);
    writer.ascii(",used_percent=");
    writer.thousandths(percent);
  } else {
    writer.ascii("used_percent=");
    writer.thousandths(percent);
    integerField(writer, ",used=", used);
  }
  writer.raw(end);

  writer.raw(host.diskKey);
  writer.ascii("used_percent=");
  writer.thousandths(41_000 + rng.int(2_000));
  writer.raw(end);
}

interface PodContext {
  readonly rng: Rng;
  readonly nowMs: number;
  readonly end: Uint8Array;
  readonly wave: number;
  readonly inIncident: boolean;
}

function writePod(writer: LineWriter, pod: Pod, context: PodContext): number {
  const { rng, nowMs, end, inIncident } = context;
  // A pod that is new has been counting for about a second.
  const elapsedMs = pod.writtenMs === 0 ? 1000 : Math.max(0, nowMs - pod.writtenMs);
  pod.writtenMs = nowMs;
  const requests = (pod.service.requestsPerSecond * context.wave * elapsedMs) / 1000;
  const counting = { ...context, requests };
  for (let route = 0; route < ROUTES.length; route++) writeCounter(writer, pod, route, counting);

  for (const key of pod.keys.durations) {
    const median = pod.service.durationMs * (inIncident ? 8 : 1);
    writer.raw(key);
    writer.thousandths(Math.round(1000 * median * Math.exp(LATENCY_SIGMA * rng.normal())) + 1);
    writer.raw(end);
  }

  pod.memoryBytes = clamp(pod.memoryBytes + Math.round(2e6 * rng.normal()), 64e6, 900e6);
  writer.raw(pod.keys.pod);
  writer.thousandths(Math.round(context.wave * pod.service.requestsPerSecond * (4 + rng.next())));
  integerField(writer, ",memory_bytes=", pod.memoryBytes);
  writer.ascii(rng.int(500) === 0 ? ",ready=false" : ",ready=true");
  if (rng.int(200) === 0) writer.ascii(',version="2.14.0"');
  writer.raw(end);

  writer.raw(pod.keys.runtime);
  writer.integer(Math.floor(pod.memoryBytes * 0.6));
  writer.byte(INTEGER_SUFFIX);
  integerField(writer, ",threads=", 11 + rng.int(6));
  writer.raw(end);

  if (pod.keys.queue !== undefined) {
    pod.queueDepth = clamp(pod.queueDepth + rng.int(11) - 5 + (inIncident ? 12 : 0), 0, 5000);
    writer.raw(pod.keys.queue);
    writer.integer(pod.queueDepth);
    writer.byte(INTEGER_SUFFIX);
    writer.raw(end);
  }
  return podLines(pod);
}

function writeCounter(writer: LineWriter, pod: Pod, route: number, context: PodContext & { readonly requests: number }): void {
  const { share = 0, status = "" } = ROUTES[route] ?? {};
  const key = pod.keys.requests[route];
  if (key === undefined) throw new Error("a pod has one key per route");
  const expected = context.requests * share * (status === "500" && context.inIncident ? 60 : 1);
  // The fraction is a probability, so that rare statuses keep their mean.
  const count = (pod.counts[route] ?? 0) + Math.floor(expected + context.rng.next());
  pod.counts[route] = count;
  writer.raw(key);
  writer.integer(count);
  writer.byte(INTEGER_SUFFIX);
  writer.raw(context.end);
}

function integerField(writer: LineWriter, prefix: string, value: number): void {
  writer.ascii(prefix);
  writer.integer(value);
  writer.byte(INTEGER_SUFFIX);
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
