// Hosts that send to one router: gauges of a moment ago in any order, and counters in their own, which begin anew now and then.
import type { World } from "./world.js";

const HOSTS = 20;
const SERVICES = 12;

interface Host {
  readonly tags: string;
  count: number;
  counterMs: number;
}

export class Senders {
  readonly #world: World;
  readonly #hosts: readonly Host[];
  #turn = 0;

  /** `index`: of the router; a host sends to one. */
  constructor(world: World, index: number) {
    this.#world = world;
    this.#hosts = Array.from({ length: HOSTS }, (_, i) => {
      const host = index * HOSTS + i;
      return { tags: `s=s${String((host * 7) % SERVICES)},h=h${String(host)}`, count: world.pick(1000), counterMs: 0 };
    });
  }

  /**
   * A few lines. Every counter has its turn within 3 s: a rule that comes counts from what it saw of a series since it was learned of,
   * which has to be the same for an engine that knew it all along.
   */
  send(): string {
    const next = this.#hosts[this.#turn++ % HOSTS];
    let text = next === undefined ? "" : this.#counter(next);
    for (let i = this.#world.pick(3); i > 0; i--) {
      const host = this.#hosts[this.#world.pick(HOSTS)];
      if (host !== undefined) text += this.#gauges(host);
    }
    return text;
  }

  #gauges({ tags }: Host): string {
    const world = this.#world;
    const second = world.chance(0.3) ? `,g=${String(world.pick(1000))}` : "";
    return `m,${tags} f=${String(world.pick(100_000) / 100)}${second} ${String(world.nowMs - world.pick(300))}000000\n`;
  }

  #counter(host: Host): string {
    const world = this.#world;
    host.count = world.chance(0.04) ? world.pick(5) : host.count + world.pick(50);
    host.counterMs = Math.max(host.counterMs + 1, world.nowMs - world.pick(300));
    return `c,${host.tags} n=${String(host.count)} ${String(host.counterMs)}000000\n`;
  }
}
