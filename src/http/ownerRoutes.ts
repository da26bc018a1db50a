// The doors of an owner: batches from routers, copies and go from other owners (PROTOCOL P2, P6).
//
//   POST /api/v1/batch   line protocol, the head in headers -> {"generation","ranges"}; 409 {"need":"rules"}
//   PUT  /api/v1/rules/HASH   a RuleVersion, from a router that was told so -> 204
//   POST /api/v1/copy    a snapshot, its head as JSON in the header limpet-copy -> {"answer"}
//   POST /api/v1/go      {"low","high","from","to","move"} -> {"answer"}
import type { SliceletDriver } from "../drive/sliceletDriver.js";
import { BATCH_PATH, encodeBatchAnswer, readBatchHeaders } from "../slice/batchWire.js";
import { decodeRuleVersion, type RuleVersion } from "../slice/ruleVersion.js";
import { decodeCopyHead, decodeGo } from "../slicelet/messages.js";
import type { Tokens } from "./auth.js";
import { COPY_PATH, GO_PATH } from "./peerClient.js";
import { type HttpAnswer, type HttpRequest, jsonAnswer, type RequestHead, type Route } from "./server.js";

/** Who answers. */
export interface OwnerInside {
  readonly driver: SliceletDriver;
  /** Batches of another cluster are refused. */
  readonly cluster: string;
  /** Whether rules of this hash are in force here. */
  readonly hasRules: (hash: string) => boolean;
  /** Takes rules over. What is wrong with them; undefined: nothing. */
  readonly offerRules: (version: RuleVersion) => string | undefined;
}

export interface OwnerDoors {
  /** undefined: not there yet, `waiting` says what for. */
  readonly inside: () => OwnerInside | undefined;
  readonly waiting: string;
  readonly tokens: Tokens | undefined;
}

/** A slice's whole state travels in one body. */
const COPY_BYTES_MAX = 1 << 30;
const GO_BYTES_MAX = 4096;

export function ownerRoutes({ inside, waiting, tokens }: OwnerDoors): readonly Route[] {
  const unavailable = (): HttpAnswer => jsonAnswer(503, { error: `${waiting}; come again` }, { "retry-after": "1" });
  // Before the body is read: a copy may be large.
  const admit = ({ headers, query }: RequestHead): HttpAnswer | undefined => {
    if (tokens !== undefined && !tokens.admits(headers, query))
      return jsonAnswer(401, { error: "unauthorized: a token of --token-file is wanted" }, { "www-authenticate": 'Bearer realm="limpet"' });
    return inside() === undefined ? unavailable() : undefined;
  };
  const door = (method: "POST" | "PUT", path: string, use: (owner: OwnerInside, request: HttpRequest) => HttpAnswer): Route => {
    const answer = (request: HttpRequest): HttpAnswer => {
      const owner = inside();
      return owner === undefined ? unavailable() : use(owner, request);
    };
    return { method, path, admit, answer };
  };
  return [
    door("POST", BATCH_PATH, batch),
    door("PUT", "/api/v1/rules/*", rules),
    { ...door("POST", COPY_PATH, copy), bodyBytesMax: COPY_BYTES_MAX },
    { ...door("POST", GO_PATH, go), bodyBytesMax: GO_BYTES_MAX },
  ];
}

function batch({ driver, cluster, hasRules }: OwnerInside, { headers, body }: HttpRequest): HttpAnswer {
  const read = readBatchHeaders(headers);
  if (!read.ok) return jsonAnswer(400, { error: read.error });
  const { head, generation } = read.value;
  if (head.cluster !== cluster) return jsonAnswer(421, { error: `this is cluster ${cluster}, not ${head.cluster}; --cluster names it` });
  if (!hasRules(head.rules)) return jsonAnswer(409, { need: "rules" });
  return { status: 200, contentType: "application/json", body: encodeBatchAnswer(driver.batch(head, generation, body)) };
}

function rules({ offerRules }: OwnerInside, { body }: HttpRequest): HttpAnswer {
  const read = decodeRuleVersion(body.toString("utf8"));
  const problem = read.ok ? offerRules(read.value) : read.error;
  return problem === undefined ? { status: 204, contentType: "", body: "" } : jsonAnswer(400, { error: problem });
}

function copy({ driver }: OwnerInside, { headers, body }: HttpRequest): HttpAnswer {
  const text = headers["limpet-copy"];
  const read = decodeCopyHead(typeof text === "string" ? text : "");
  return read.ok ? jsonAnswer(200, { answer: driver.copy(read.value, body) }) : jsonAnswer(400, { error: `limpet-copy: ${read.error}` });
}

function go({ driver }: OwnerInside, { body }: HttpRequest): HttpAnswer {
  const read = decodeGo(body.toString("utf8"));
  return read.ok ? jsonAnswer(200, { answer: driver.go(read.value) }) : jsonAnswer(400, { error: read.error });
}
