// The machines that the generated load pretends to come from: services run as pods in regions, eight pods share a host,
// and every host has a Telegraf. A pod's key bytes (`measurement,tags ` and the first field's name) are computed when it
// is born, so that writing a line later is copying bytes. Names and traffic are drawn from the rng that is passed in.
import type { Rng } from "../base/rng.js";

export interface Service {
  readonly name: string;
  /** Requests per second of one pod at mean traffic. */
  readonly requestsPerSecond: number;
  /** Median request duration. */
  readonly durationMs: number;
  /** Name of the queue its pods work off, if they have one. */
  readonly queue: string | undefined;
}

export const REGIONS = ["ap-south-1", "eu-west-1", "us-east-1"] as const;

export const SERVICES: readonly Service[] = [
  service("auth", 42, 8),
  service("cart", 18, 14),
  service("catalog", 65, 22),
  service("checkout", 6, 85),
  service("gateway", 110, 31),
  service("inventory", 12, 18, "stock"),
  service("notify", 9, 40, "mail"),
  service("payments", 4, 160, "settlement"),
  service("profile", 21, 11),
  service("recommend", 35, 55),
  service("search", 48, 38),
  service("shipping", 3, 70, "labels"),
];

/** Shares of a pod's requests; every pod has one counter for each. */
export const ROUTES = [
  { method: "GET", status: "200", share: 0.78 },
  { method: "GET", status: "404", share: 0.02 },
  { method: "GET", status: "500", share: 0.002 },
  { method: "POST", status: "200", share: 0.195 },
  { method: "POST", status: "500", share: 0.003 },
] as const;

export const METHODS = ["GET", "POST"] as const;
const PODS_PER_HOST = 8;

export interface PodKeys {
  /** One for each of ROUTES. */
  readonly requests: readonly Buffer[];
  /** One for each of METHODS. */
  readonly durations: readonly Buffer[];
  readonly pod: Buffer;
  readonly runtime: Buffer;
  readonly queue: Buffer | undefined;
}

export interface Pod {
  readonly service: Service;
  /** Invariant: as long as ROUTES; cumulative requests since the pod's process started. */
  readonly counts: number[];
  /** Memory in bytes, queue depth in items: random walks. */
  memoryBytes: number;
  queueDepth: number;
  /** Set by the generator: when this pod was written last; 0 before the first time. */
  writtenMs: number;
  keys: PodKeys;
}

export interface Host {
  readonly name: string;
  readonly region: (typeof REGIONS)[number];
  readonly cpuKey: Buffer;
  readonly memKey: Buffer;
  readonly diskKey: Buffer;
  readonly pods: Pod[];
  cpuBusy: number;
}

/** Hosts of all regions in turn, with `podCount` pods spread over the services evenly. */
export function buildFleet(podCount: number, rng: Rng): Host[] {
  const hosts: Host[] = [];
  for (let index = 0; index < podCount; index++) {
    if (index % PODS_PER_HOST === 0) hosts.push(buildHost(hosts.length));
    const host = hosts[hosts.length - 1];
    const service = SERVICES[index % SERVICES.length];
    if (host === undefined || service === undefined) throw new Error("a pod needs a host and a service");
    host.pods.push(buildPod(service, host, rng));
  }
  return hosts;
}

/** A new pod in place of one that is gone: new name, counters from 0. */
export function buildPod(service: Service, host: Host, rng: Rng): Pod {
  return {
    service,
    counts: ROUTES.map(() => 0),
    memoryBytes: 96e6 + rng.int(160e6),
    queueDepth: rng.int(40),
    writtenMs: 0,
    keys: podKeys(service, host, `${service.name}-${letters(rng, 5)}-${letters(rng, 5)}`),
  };
}

function service(name: string, requestsPerSecond: number, durationMs: number, queue?: string): Service {
  return { name, requestsPerSecond, durationMs, queue };
}

function buildHost(index: number): Host {
  const region = REGIONS[index % REGIONS.length] ?? REGIONS[0];
  const name = `node-${region.slice(0, 2)}-${String(Math.floor(index / REGIONS.length)).padStart(4, "0")}`;
  return {
    name,
    region,
    cpuKey: Buffer.from(`cpu,cpu=cpu-total,host=${name},region=${region} `),
    memKey: Buffer.from(`mem,host=${name},region=${region} `),
    diskKey: Buffer.from(`disk,device=nvme0n1p1,fstype=ext4,host=${name},mode=rw,path=/,region=${region} `),
    pods: [],
    cpuBusy: 30,
  };
}

/** Tags in byte order of their keys, as Telegraf sorts them. */
function podKeys(service: Service, host: Host, pod: string): PodKeys {
  const middle = `pod=${pod},region=${host.region},service=${service.name}`;
  return {
    requests: ROUTES.map(({ method, status }) => Buffer.from(`http_requests,host=${host.name},method=${method},${middle},status=${status} count=`)),
    durations: METHODS.map((method) => Buffer.from(`http,host=${host.name},method=${method},${middle} duration_ms=`)),
    pod: Buffer.from(`pod,host=${host.name},${middle} cpu_cores=`),
    runtime: Buffer.from(`runtime,host=${host.name},${middle} heap_bytes=`),
    queue:
      service.queue === undefined
        ? undefined
        : Buffer.from(`queue,host=${host.name},pod=${pod},queue=${service.queue},region=${host.region},service=${service.name} depth=`),
  };
}

// The alphabet of Kubernetes' pod names: no vowels, nothing that looks like another character.
const POD_ALPHABET = "bcdfghjklmnpqrstvwxz2456789";

function letters(rng: Rng, count: number): string {
  let text = "";
  for (let i = 0; i < count; i++) text += POD_ALPHABET.charAt(rng.int(POD_ALPHABET.length));
  return text;
}
