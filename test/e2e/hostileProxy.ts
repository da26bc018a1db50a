// A TCP proxy that does to connections what a bad network does, by a seed: every piece of bytes is delayed by a random time, some
// are held back for seconds, and some connections are cut when the answer to what went through is about to come back. What a
// client sent before it gave up arrives all the same, later. Within a connection order is kept, as TCP does; between them it is not.
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { createRng, type Rng } from "#limpet/base/rng.js";

export interface Weather {
  /** Most of a usual delay, ms; half of them are under an eighth of it. */
  readonly delayMsMax: number;
  /** Shares of pieces that are held back for 2 to 3 s, and of answers that are cut off. */
  readonly held: number;
  readonly cut: number;
}

export class HostileProxy {
  readonly #server: Server;
  readonly #rng: Rng;
  readonly #weather: Weather;
  readonly #sockets = new Set<Socket>();
  /** Where it leads, once that is known; until then nobody is let in. */
  target: URL | undefined;
  /** What it did. */
  readonly done = { connections: 0, held: 0, cut: 0 };

  private constructor(server: Server, seed: number, weather: Weather) {
    this.#server = server;
    this.#rng = createRng(seed);
    this.#weather = weather;
    server.on("connection", (socket) => {
      this.#lead(socket);
    });
  }

  static async start(seed: number, weather: Weather): Promise<HostileProxy> {
    const server = createServer();
    const proxy = new HostileProxy(server, seed, weather);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${String((this.#server.address() as AddressInfo).port)}`;
  }

  end(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #lead(client: Socket): void {
    const { target } = this;
    if (target === undefined) {
      client.destroy();
      return;
    }
    this.done.connections++;
    const owner = connect(Number(target.port), target.hostname);
    for (const socket of [client, owner]) {
      this.#sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => this.#sockets.delete(socket));
    }
    this.#pass(client, owner, () => false);
    this.#pass(owner, client, () => {
      if (this.#rng.next() >= this.#weather.cut) return false;
      this.done.cut++;
      client.destroy();
      return true;
    });
  }

  /** Each piece after its delay, behind those before it; then the end. */
  #pass(from: Socket, to: Socket, cuts: () => boolean): void {
    let freeMs = 0;
    const later = (act: () => void, delayMs: number): void => {
      freeMs = Math.max(freeMs, performance.now() + delayMs);
      setTimeout(act, freeMs - performance.now());
    };
    from.on("data", (piece) => {
      if (cuts()) return;
      later(() => to.write(piece), this.#delayMs());
    });
    from.on("close", () => {
      later(() => to.end(), 0);
    });
  }

  #delayMs(): number {
    const { delayMsMax, held } = this.#weather;
    if (this.#rng.next() >= held) return delayMsMax * this.#rng.next() ** 3;
    this.done.held++;
    return 2000 + 1000 * this.#rng.next();
  }
}
