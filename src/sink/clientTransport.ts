// A Transport over a client library that writes a batch and tells its answer in a promise.
import type { Answer } from "./answer.js";
import type { Batch } from "./batch.js";
import type { Transport } from "./queuedSink.js";
import type { SinkAccess } from "./secret.js";

export interface Client {
  /** Never rejects: what a library throws is an Answer. */
  write(batch: Batch): Promise<Answer>;
  close(): void;
}

export class ClientTransport implements Transport {
  readonly #client: Client;
  readonly #access: SinkAccess | undefined;

  constructor(client: Client, access: SinkAccess | undefined) {
    this.#client = client;
    this.#access = access;
  }

  send(batch: Batch, _attempt: number, done: (answer: Answer) => void): () => void {
    let over = false;
    void this.#write(batch).then((answer) => {
      if (!over) done(answer);
    });
    return () => {
      over = true;
    };
  }

  close(): void {
    this.#client.close();
  }

  /** Once more, when what lets us in has been replaced. */
  async #write(batch: Batch): Promise<Answer> {
    const answer = await this.#client.write(batch);
    const lockedOut = answer.kind === "status" && (answer.status === 401 || answer.status === 403);
    if (!lockedOut || this.#access === undefined || !(await this.#access.secret.refresh())) return answer;
    return this.#client.write(batch);
  }
}
