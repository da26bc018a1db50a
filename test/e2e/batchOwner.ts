// Somebody who owns slices as far as a router can see: reports to an assigner, answers batches by P2, keeps their lines. Two records
// of one line for one key range would be a double; `lines` has each batch once per range it was applied to.

import { type HttpAnswer, type HttpRequest, jsonAnswer, type RunningServer, startServer, textAnswer } from "#limpet/http/server.js";
import type { BatchRange, RangeAnswer } from "#limpet/slice/batch.js";
import { encodeBatchAnswer, readBatchHeaders } from "#limpet/slice/batchWire.js";
import { NO_GENERATION } from "#limpet/slice/generation.js";
import { RangeMap } from "#limpet/slice/rangeMap.js";
import { encodeReport } from "#limpet/slice/report.js";
import { emptyReport } from "./emptyReport.js";

export class BatchOwner {
  readonly #assigner: string;
  #server: RunningServer | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #rules = new Set<string>();
  readonly #applied = new RangeMap<number>(0);
  readonly lines = new Set<string>();
  readonly answers: string[] = [];
  rulesOffered = 0;
  goodbyes = 0;

  private constructor(assigner: string) {
    this.#assigner = assigner;
  }

  static async start(assigner: string): Promise<BatchOwner> {
    const owner = new BatchOwner(assigner);
    const result = await startServer({
      host: "127.0.0.1",
      port: 0,
      warn: () => undefined,
      routes: [
        { method: "POST", path: "/api/v1/batch", answer: (request) => owner.#batch(request) },
        { method: "PUT", path: "/api/v1/rules/*", answer: (request) => owner.#offered(request) },
      ],
    });
    if (!result.ok) throw new Error(result.message);
    owner.#server = result.server;
    owner.#timer = setInterval(() => void owner.#report().catch(() => undefined), 50);
    return owner;
  }

  get address(): string {
    return this.#server?.url ?? "";
  }

  get id(): string {
    return emptyReport(this.address).id;
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#server?.close(0);
  }

  async #report(): Promise<void> {
    await fetch(`${this.#assigner}/api/v1/heartbeat`, { method: "POST", body: encodeReport(emptyReport(this.address)) });
  }

  #offered({ path }: HttpRequest): HttpAnswer {
    this.rulesOffered++;
    this.#rules.add(path.split("/").at(-1) ?? "");
    return textAnswer(204, "");
  }

  #batch({ headers, body }: HttpRequest): HttpAnswer {
    const read = readBatchHeaders(headers);
    if (!read.ok) return jsonAnswer(400, { error: read.error });
    const { head } = read.value;
    if (!this.#rules.has(head.rules)) return jsonAnswer(409, { need: "rules" });
    const answers = head.ranges.flatMap((range) =>
      this.#applied.within(range).map(({ low, high, value }) => this.#answer({ ...range, low, high }, head.seq, value, body.length === 0)),
    );
    if (answers.some(({ answer }) => answer === "applied")) for (const line of body.toString().split("\n")) if (line !== "") this.lines.add(line);
    return { status: 200, contentType: "application/json", body: encodeBatchAnswer({ generation: NO_GENERATION, ranges: answers }) };
  }

  #answer(range: BatchRange, seq: number, before: number, isHeartbeat: boolean): RangeAnswer {
    const { low, high, prev, kept, oldestMs } = range;
    const say = (answer: RangeAnswer["answer"], applied: number): RangeAnswer => {
      this.answers.push(answer);
      return { low, high, answer, applied, durable: applied, owner: null };
    };
    if (isHeartbeat && oldestMs === undefined) this.goodbyes++;
    if (!isHeartbeat && before >= seq) return say("duplicate", before);
    if (before < prev && prev >= kept) return say("gap", before);
    if (isHeartbeat) return say("duplicate", before);
    this.#applied.update({ low, high }, () => seq);
    return say("applied", seq);
  }
}
