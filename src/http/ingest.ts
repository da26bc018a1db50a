// The doors for data: what Telegraf's outputs.influxdb_v2, outputs.influxdb and outputs.http, InfluxDB clients and Prometheus'
// remote write post to, in their own words.
//
//   body ─▶ admission (token, open?) ─▶ read, bounded ─▶ unpack, bounded ─▶ engine, piece by piece ─▶ 204
//
// 204 says that every good line is applied. Bad lines are counted and logged, the good ones around them kept: a batch is never
// refused for one line, because Telegraf would drop it whole or send it for ever. Only where no line at all was good, /write and
// /api/v2/write answer 400, which their outputs drop and log; /telegraf, outputs.http's default path, never does: that output
// repeats a refused batch without end.
import { LineDocument } from "../aggregate/lineDocument.js";
import { SeriesDocument } from "../aggregate/seriesDocument.js";
import type { Tokens } from "./auth.js";
import { influxRoutes } from "./influxRoutes.js";
import type { Health } from "./probes.js";
import { readWriteHead, problemOf as seriesProblemOf, unpackWriteRequest, writeAnswer } from "./remoteWriteIngest.js";
import { DEFAULT_LIMITS, type HttpAnswer, type HttpRequest, jsonAnswer, type RequestHead, type Route, textAnswer } from "./server.js";
import { Gate, unpack } from "./unpack.js";

export interface IngestOptions {
  /** Reads a whole document; resolves when all of it is applied, or (router) kept. */
  readonly read: (document: LineDocument | SeriesDocument) => Promise<void>;
  /** Why no more can be taken for now, in a clause: senders are told to come again. undefined: it can. */
  readonly refusal?: () => string | undefined;
  readonly warn: (message: string, kind: string) => void;
  /** Whom to let in; everybody without. */
  readonly tokens?: Tokens | undefined;
  /** Every line gets a label of this name with the database or bucket it was posted to. */
  readonly dbLabel?: string | undefined;
  readonly version: string;
  /** Of one body, unpacked. */
  readonly bodyBytesMax?: number;
}

/** Modes: starting ──open()──▶ open ──close()──▶ closing. Data is taken while open; else it is 503, come again. */
export interface Ingest {
  readonly routes: readonly Route[];
  ready(): Health;
  open(): void;
  /** Resolves when the requests under way are applied. */
  close(): Promise<void>;
}

/** Bodies that are unpacked and held at one time. */
const UNPACKED_MAX = 4;
const NOTES_MAX = 1000;

/** How one kind of endpoint speaks. */
interface Dialect {
  readonly path: string;
  readonly methods: readonly ("POST" | "PUT")[];
  /** Query parameter that names the database. */
  readonly database: string;
  readonly precisions: Readonly<Record<string, bigint>>;
  /** Whether a body without one good line is answered with 400. */
  readonly strict: boolean;
  readonly refuse: (status: number, message: string) => HttpAnswer;
}

const UNITS = { ns: 1n, us: 1000n, ms: 1_000_000n, s: 1_000_000_000n };
const UNITS_V1 = { ...UNITS, n: 1n, u: 1000n, µ: 1000n, m: 60_000_000_000n, h: 3_600_000_000_000n };

const CODES: Readonly<Record<number, string>> = {
  400: "invalid",
  401: "unauthorized",
  405: "method not allowed",
  413: "request too large",
  415: "invalid",
  503: "unavailable",
};

/** As InfluxDB 2 words it. */
export function refuseV2(status: number, message: string): HttpAnswer {
  return jsonAnswer(status, { code: CODES[status] ?? "internal error", message });
}

/** As InfluxDB 1 words it. */
export function refuseV1(status: number, message: string): HttpAnswer {
  return jsonAnswer(status, { error: message }, { "x-influxdb-error": message.replace(/[^\x20-\x7e]/g, "?") });
}

const DIALECTS: readonly Dialect[] = [
  { path: "/api/v2/write", methods: ["POST"], database: "bucket", precisions: UNITS, strict: true, refuse: refuseV2 },
  { path: "/write", methods: ["POST"], database: "db", precisions: UNITS_V1, strict: true, refuse: refuseV1 },
  // outputs.http may be told to PUT.
  { path: "/telegraf", methods: ["POST", "PUT"], database: "db", precisions: UNITS_V1, strict: false, refuse: refuseV1 },
];

export function createIngest(options: IngestOptions): Ingest {
  const doors = new Doors(options);
  const ready = (): Health => (doors.mode === "open" ? { ok: true } : { ok: false, reason: doors.mode });
  return {
    routes: [
      ...DIALECTS.flatMap((dialect) => dialect.methods.map((method) => doors.lines(dialect, method))),
      doors.series(),
      ...influxRoutes({ version: options.version, admit: (head) => doors.admit(head, refuseV1), ready }),
    ],
    ready,
    open: () => {
      doors.mode = "open";
    },
    close: () => doors.close(),
  };
}

class Doors {
  readonly #options: IngestOptions;
  readonly #bodyBytesMax: number;
  readonly #gate = new Gate(UNPACKED_MAX);
  /** Rules of which it was said that a metric's type is not what they take it for. */
  readonly #noted = new Set<string>();
  mode: "starting" | "open" | "stopping" = "starting";

  constructor(options: IngestOptions) {
    this.#options = options;
    this.#bodyBytesMax = options.bodyBytesMax ?? DEFAULT_LIMITS.bodyBytesMax;
  }

  close(): Promise<void> {
    this.mode = "stopping";
    return this.#gate.idle();
  }

  lines(dialect: Dialect, method: Route["method"]): Route {
    return {
      method,
      path: dialect.path,
      admit: (head) => this.admit(head, dialect.refuse),
      refuse: dialect.refuse,
      answer: (request) => this.#enter(dialect.refuse, () => this.#lines(dialect, request)),
    };
  }

  series(): Route {
    const refuse = (status: number, message: string): HttpAnswer => textAnswer(status, `${message}\n`);
    return {
      method: "POST",
      path: "/api/v1/write",
      admit: (head) => {
        const write = readWriteHead(head.headers);
        return this.admit(head, refuse) ?? (write.ok ? undefined : write.answer);
      },
      refuse,
      answer: (request) => this.#enter(refuse, () => this.#series(request)),
    };
  }

  admit(head: RequestHead, refuse: Dialect["refuse"]): HttpAnswer | undefined {
    const { tokens } = this.#options;
    if (tokens !== undefined && !tokens.admits(head.headers, head.query)) {
      const answer = refuse(401, "unauthorized: a token of --token-file is wanted, as `Authorization: Token ...`");
      return { ...answer, headers: { ...answer.headers, "www-authenticate": 'Bearer realm="limpet"' } };
    }
    const reason = this.#refusal();
    return reason === undefined ? undefined : closed(refuse, reason);
  }

  #refusal(): string | undefined {
    return this.mode === "open" ? this.#options.refusal?.() : `this process is ${this.mode}`;
  }

  /** The body was read while others were: the process may be stopping by now, and then nothing more may be applied. */
  #enter(refuse: Dialect["refuse"], task: () => Promise<HttpAnswer>): Promise<HttpAnswer> {
    if (this.mode !== "open") return Promise.resolve(closed(refuse, `this process is ${this.mode}`));
    // Asked once more when its turn has come: a document that is begun is read to its end.
    return this.#gate.pass(() => {
      const reason = this.#options.refusal?.();
      return reason === undefined ? task() : Promise.resolve(closed(refuse, reason));
    });
  }

  async #lines(dialect: Dialect, { path, query, headers, body }: HttpRequest): Promise<HttpAnswer> {
    const precision = query.get("precision") ?? "";
    const unitNs = precision === "" ? 1n : Object.entries(dialect.precisions).find(([name]) => name === precision)?.[1];
    if (unitNs === undefined) return dialect.refuse(400, `precision ${precision} is unknown; use ${Object.keys(dialect.precisions).join(", ")}`);
    const database = query.get(dialect.database) ?? "";
    // A line break could not stand in a tag either.
    if (database.includes("\n") || database.length > 1024)
      return dialect.refuse(400, `${dialect.database}: at most 1024 characters without a line break`);
    const unpacked = await unpack(body, headers["content-encoding"], this.#bodyBytesMax);
    if (!unpacked.ok) return dialect.refuse(unpacked.status, unpacked.message);
    const { dbLabel, read } = this.#options;
    const tag = dbLabel === undefined || database === "" ? undefined : { key: Buffer.from(dbLabel), value: Buffer.from(database) };
    const document = new LineDocument(unpacked.bytes, unitNs, tag);
    if (!document.done) await read(document);
    const invalid = document.invalid.syntax + document.invalid.too_long;
    if (invalid === 0) return NO_CONTENT;
    const problem = problemOf(document, invalid);
    this.#options.warn(`POST ${path}: ${problem}`, "invalid lines by HTTP");
    if (document.good === 0 && dialect.strict) return dialect.refuse(400, problem);
    return { ...NO_CONTENT, headers: { "limpet-lines-invalid": String(invalid) } };
  }

  async #series({ body, path, headers }: HttpRequest): Promise<HttpAnswer> {
    const head = readWriteHead(headers);
    if (!head.ok) return head.answer;
    const unpacked = unpackWriteRequest(body, this.#bodyBytesMax);
    if (!unpacked.ok) return textAnswer(unpacked.status, `${unpacked.message}\n`);
    const document = new SeriesDocument(unpacked.bytes, head.version);
    if (!document.done) await this.#options.read(document);
    const { warn } = this.#options;
    if (document.histograms > 0)
      warn(`POST ${path}: ${String(document.histograms)} native histograms are not aggregated; send classic ones`, "native histograms");
    for (const [rule, note] of document.notes) {
      if (this.#noted.has(rule) || this.#noted.size === NOTES_MAX) continue;
      this.#noted.add(rule);
      warn(note, "metric types");
    }
    const problem = seriesProblemOf(document);
    if (problem !== undefined) warn(`POST ${path}: ${problem}`, "invalid remote write");
    return writeAnswer(document, head.version, headers);
  }
}

const NO_CONTENT: HttpAnswer = { status: 204, contentType: "", body: "" };

function closed(refuse: Dialect["refuse"], reason: string): HttpAnswer {
  const answer = refuse(503, `${reason}; come again`);
  return { ...answer, headers: { ...answer.headers, "retry-after": "1" } };
}

function problemOf(document: LineDocument, invalid: number): string {
  const [first] = document.faults;
  const place = first === undefined ? "" : `line ${String(first.line)}, column ${String(first.column)}: ${first.message}`;
  return `${String(invalid)} of ${String(document.good + invalid)} lines are not line protocol; ${place}`;
}
