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

export interface OwnerDoors {
  readonly driver: SliceletDriver;
  /** Batches and copies of another cluster are refused. */
  readonly cluster: string;
  /** Whether rules of this hash are in force here. */
  readonly hasRules: (hash: string) => boolean;
  /** Takes rules over. What is wrong with them; undefined: nothing. */
  readonly offerRules: (version: RuleVersion) => string | undefined;
  readonly tokens: Tokens | undefined;
}

/** A slice's whole state travels in one body. */
const COPY_BYTES_MAX = 1 << 30;
const GO_BYTES_MAX = 4096;

export function ownerRoutes(doors: OwnerDoors): readonly Route[] {
  const admit = ({ headers, query }: RequestHead): HttpAnswer | undefined => {
    if (doors.tokens === undefined || doors.tokens.admits(headers, query)) return undefined;
    return jsonAnswer(401, { error: "unauthorized: a token of --token-file is wanted" }, { "www-authenticate": 'Bearer realm="limpet"' });
  };
  return [
    { method: "POST", path: BATCH_PATH, admit, answer: (request) => batch(doors, request) },
    { method: "PUT", path: "/api/v1/rules/*", admit, answer: (request) => rules(doors, request) },
    { method: "POST", path: COPY_PATH, admit, bodyBytesMax: COPY_BYTES_MAX, answer: (request) => copy(doors, request) },
    { method: "POST", path: GO_PATH, admit, bodyBytesMax: GO_BYTES_MAX, answer: (request) => go(doors, request) },
  ];
}

function batch({ driver, cluster, hasRules }: OwnerDoors, { headers, body }: HttpRequest): HttpAnswer {
  const read = readBatchHeaders(headers);
  if (!read.ok) return jsonAnswer(400, { error: read.error });
  const { head, generation } = read.value;
  if (head.cluster !== cluster) return jsonAnswer(421, { error: `this is cluster ${cluster}, not ${head.cluster}; --cluster names it` });
  if (!hasRules(head.rules)) return jsonAnswer(409, { need: "rules" });
  return { status: 200, contentType: "application/json", body: encodeBatchAnswer(driver.batch(head, generation, body)) };
}

function rules({ offerRules }: OwnerDoors, { body }: HttpRequest): HttpAnswer {
  const read = decodeRuleVersion(body.toString("utf8"));
  const problem = read.ok ? offerRules(read.value) : read.error;
  return problem === undefined ? { status: 204, contentType: "", body: "" } : jsonAnswer(400, { error: problem });
}

function copy({ driver }: OwnerDoors, { headers, body }: HttpRequest): HttpAnswer {
  const text = headers["limpet-copy"];
  const read = decodeCopyHead(typeof text === "string" ? text : "");
  return read.ok ? jsonAnswer(200, { answer: driver.copy(read.value, body) }) : jsonAnswer(400, { error: `limpet-copy: ${read.error}` });
}

function go({ driver }: OwnerDoors, { body }: HttpRequest): HttpAnswer {
  const read = decodeGo(body.toString("utf8"));
  return read.ok ? jsonAnswer(200, { answer: driver.go(read.value) }) : jsonAnswer(400, { error: read.error });
}
