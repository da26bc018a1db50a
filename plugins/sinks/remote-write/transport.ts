// A batch of rows as one remote write request: encoded in the version the receiver speaks, compressed, posted with what lets us in.
import { compressSnappy } from "#limpet/base/snappy.js";
import { WriteRequestEncoder } from "#limpet/metric/remoteWrite.js";
import { WriteRequestEncoder2 } from "#limpet/metric/remoteWrite2.js";
import type { Answer } from "#limpet/sink/answer.js";
import type { Batch } from "#limpet/sink/batch.js";
import { type Transport, wallMs } from "#limpet/sink/queuedSink.js";
import { authorization, type SinkAccess } from "#limpet/sink/secret.js";
import type { SinkLog } from "#limpet/sink/sink.js";
import { Negotiation, type Version } from "./negotiation.js";
import { post, type Reply, type Target } from "./post.js";

const versionHeaders: Readonly<Record<Version, Readonly<Record<string, string>>>> = {
  "1.0": { "content-type": "application/x-protobuf", "x-prometheus-remote-write-version": "0.1.0" },
  "2.0": { "content-type": "application/x-protobuf;proto=io.prometheus.write.v2.Request", "x-prometheus-remote-write-version": "2.0.0" },
};

export interface RemoteWriteOptions {
  readonly name: string;
  readonly target: Target;
  readonly access: SinkAccess | undefined;
  readonly protocol: "auto" | Version;
  readonly log: SinkLog;
}

export class RemoteWriteTransport implements Transport {
  readonly #options: RemoteWriteOptions;
  readonly #negotiation: Negotiation;
  readonly #encoders = { "1.0": new WriteRequestEncoder(), "2.0": new WriteRequestEncoder2() };
  #told = false;

  constructor(options: RemoteWriteOptions) {
    this.#options = options;
    this.#negotiation = new Negotiation(options.protocol);
  }

  send(batch: Batch, attempt: number, done: (answer: Answer) => void): () => void {
    let over = false;
    let abort = (): void => undefined;
    const go = (version: Version, secretIsNew: boolean): void => {
      if (over) return;
      abort = post(this.#options.target, this.#body(batch, version), this.#headers(version, attempt), (reply) => {
        if (this.#negotiation.fellBack(version, reply, wallMs())) {
          this.#tell(reply.answer);
          return go("1.0", secretIsNew);
        }
        const { access } = this.#options;
        if (secretIsNew || access === undefined || !isLockedOut(reply.answer)) return done(this.#answerOf(version, reply));
        void access.secret.refresh().then((changed) => {
          if (changed) go(version, true);
          else if (!over) done(reply.answer);
        });
      });
    };
    go(this.#negotiation.version(wallMs()), false);
    return () => {
      over = true;
      abort();
    };
  }

  close(): void {
    this.#options.target.agent.destroy();
  }

  #body({ blocks, starts }: Batch, version: Version): Uint8Array {
    const encoder = this.#encoders[version];
    encoder.reset();
    for (const [i, block] of blocks.entries()) encoder.add(block.bytes, starts[i] ?? 0);
    return compressSnappy(encoder.bytes());
  }

  #headers(version: Version, attempt: number): Record<string, string> {
    const { access } = this.#options;
    return {
      ...versionHeaders[version],
      ...(access === undefined ? {} : { authorization: authorization(access) }),
      // Mimir spreads its Retry-After by this header; others ignore it.
      ...(attempt > 0 ? { "retry-attempt": String(attempt) } : {}),
    };
  }

  /** Where 2.0 was asked for and nothing says that it was understood, nothing is stored, whatever the status. */
  #answerOf(version: Version, { answer, written }: Reply): Answer {
    if (version === "1.0" || written || answer.kind === "failed" || answer.status >= 300) return answer;
    return { kind: "status", status: 415, body: `HTTP ${answer.status} without a Written header: it does not speak remote write 2.0` };
  }

  #tell(answer: Answer): void {
    if (this.#told) return;
    this.#told = true;
    const how = answer.kind === "status" ? `HTTP ${answer.status} to 2.0` : "";
    this.#options.log("info", `sink ${this.#options.name}: remote write 1.0 (${how}); asks for 2.0 again every hour`);
  }
}

function isLockedOut(answer: Answer): boolean {
  return answer.kind === "status" && (answer.status === 401 || answer.status === 403);
}
