// What a seed does to a cluster: everything that is planned in a cluster's life, in any order, in bad weather.
import { Cluster, type ClusterOptions } from "./cluster.js";
import type { AggregatorNode } from "./nodes.js";

export interface Outcome {
  readonly faults: readonly string[];
  readonly story: readonly string[];
  readonly moves: number;
  readonly aborted: number;
  readonly pauseMsMax: number;
  readonly generations: number;
}

type Deed = (cluster: Cluster) => string;

/** One of those that are there and not leaving. */
function someone(cluster: Cluster): AggregatorNode | undefined {
  const running = cluster.aggregators.filter(({ slicelet }) => slicelet.state === "running");
  return running.length < 2 ? undefined : running[cluster.world.pick(running.length)];
}

/** Restarts in place: some stop and stay, and come back at their addresses, each after a while. */
function stayAndReturn(cluster: Cluster, count: number, awayMs: number, meanwhile = (): void => undefined): string {
  const running = cluster.aggregators.filter(({ slicelet }) => slicelet.state === "running");
  const first = cluster.world.pick(running.length);
  const nodes = running.slice(first).concat(running.slice(0, first)).slice(0, count);
  for (const node of nodes) node.stay();
  // Those that take longer, because somebody they gave a slice does not answer, are left to it.
  cluster.runUntil(() => nodes.every(({ alive }) => !alive), 30_000);
  meanwhile();
  cluster.run(awayMs);
  const back = nodes.filter(({ alive }) => !alive).map(({ address }) => cluster.start(address).id);
  return `stay for ${String(awayMs)}: ${nodes.map(({ id }) => id).join(", ")}, back as ${back.join(", ") || "nobody"}`;
}

const DEEDS: readonly Deed[] = [
  (cluster) => `start ${cluster.start().id}`,
  (cluster) => {
    const node = someone(cluster);
    node?.drain();
    return `drain ${node?.id ?? "nobody"}`;
  },
  (cluster) => {
    // A rolling upgrade's step with surge: the new one is there before the old one goes.
    const node = someone(cluster);
    const fresh = cluster.start();
    cluster.run(500);
    node?.drain();
    return `surge ${fresh.id}, drain ${node?.id ?? "nobody"}`;
  },
  (cluster) => {
    // A restart at the same address: drained, ended, started.
    const node = someone(cluster);
    if (node === undefined) return "nobody to restart";
    node.drain();
    const ended = cluster.runUntil(() => !node.alive, 20_000);
    if (ended) cluster.start(node.address);
    return `restart ${node.id}${ended ? "" : " (still draining)"}`;
  },
  (cluster) => {
    cluster.stopAssigner();
    cluster.run(cluster.world.pick(500));
    cluster.startAssigner();
    return "restart the assigner";
  },
  (cluster) => stayAndReturn(cluster, 1, cluster.world.pick(6000)),
  // Later than `stay`: its slices are held meanwhile.
  (cluster) => stayAndReturn(cluster, 1, cluster.world.pick(25_000)),
  (cluster) => stayAndReturn(cluster, 2, cluster.world.pick(8000)),
  (cluster) => {
    const assigner = (): void => {
      cluster.stopAssigner();
      cluster.run(cluster.world.pick(2000));
      cluster.startAssigner();
    };
    return `${stayAndReturn(cluster, 1, cluster.world.pick(4000), assigner)}, the assigner too`;
  },
  (cluster) => `restart router ${cluster.restartRouter()} in place`,
  (cluster) => {
    cluster.stopAssigner();
    cluster.run(1000 + cluster.world.pick(6000));
    cluster.startAssigner();
    return "the assigner was away";
  },
  (cluster) => {
    cluster.stopAssigner();
    const lost = cluster.world.pick(3);
    cluster.store.history.splice(Math.max(0, cluster.store.history.length - lost));
    cluster.startAssigner();
    return `the store lost ${String(lost)} generations`;
  },
  (cluster) => {
    cluster.tsdb.presence = (["refuses", "silent", "mute"] as const)[cluster.world.pick(3)] ?? "here";
    return `the receiver ${cluster.tsdb.presence}`;
  },
  (cluster) => {
    // Moves while it is away, and it comes back in the middle of others.
    cluster.tsdb.presence = (["refuses", "silent", "mute"] as const)[cluster.world.pick(3)] ?? "here";
    const node = someone(cluster);
    node?.drain();
    cluster.run(500 + cluster.world.pick(8000));
    cluster.tsdb.presence = "here";
    return `the receiver was away, drain ${node?.id ?? "nobody"} meanwhile`;
  },
  (cluster) => {
    cluster.tsdb.presence = "here";
    return "the receiver is here";
  },
  (cluster) => (cluster.changeRules() ? `rules for windows from ${String(cluster.versions.at(-1))} on` : "the rules stay"),
  (cluster) => {
    // While both versions are in force: somebody comes who has to learn of them, and takes over what goes on.
    cluster.changeRules();
    cluster.run(cluster.world.pick(14_000));
    const node = someone(cluster);
    const fresh = cluster.start();
    node?.drain();
    return `rules change, surge ${fresh.id}, drain ${node?.id ?? "nobody"}`;
  },
  (cluster) => {
    const { weather } = cluster.world;
    weather.loss = cluster.world.pick(3) * 0.04;
    weather.repeat = cluster.world.pick(3) * 0.05;
    weather.slow = cluster.world.pick(3) * 0.04;
    return `weather: loss ${String(weather.loss)}, repeat ${String(weather.repeat)}, slow ${String(weather.slow)}`;
  },
];

/** Runs one seed to its end. */
export function simulate(options: Omit<ClusterOptions, "aggregators" | "routers">, deeds = 8): Outcome {
  const cluster = new Cluster({ aggregators: 3, routers: 2, ...options });
  try {
    return live(cluster, deeds);
  } finally {
    cluster.dispose();
  }
}

function live(cluster: Cluster, deeds: number): Outcome {
  const story: string[] = [];
  cluster.run(10_000);
  for (let i = 0; i < deeds; i++) {
    const deed = DEEDS[cluster.world.pick(DEEDS.length)];
    if (deed !== undefined) story.push(`${String(cluster.world.nowMs)} ${deed(cluster)}`);
    cluster.run(500 + cluster.world.pick(4000));
  }
  const faults = cluster.finish();
  const { moves, aborted, pauseMsMax, generations } = cluster;
  return { faults, story: [...story, ...cluster.notices], moves, aborted, pauseMsMax, generations };
}
