// The assigner's doors. Who sends or routes (Slicelets, routers) shows a token of --token-file; what changes something by hand asks
// for one of --admin-token-file, where there is one.
//
//   POST /api/v1/heartbeat    Report -> ReportAnswer            GET  /api/v1/watch        Assignment per line, for ever
//   PUT  /api/v1/assignment   a Slicelet knows a newer one      GET  /api/v1/rules        newest RuleVersion
//   GET  /api/v1/assignment   the newest                        GET  /api/v1/rules/HASH   that one
//   POST /api/v1/drain        {"resource": id or address}       PUT  /api/v1/rules        read the files again
//                                                               GET  /                    the web page
import * as z from "zod";
import type { AssignerDrive } from "../drive/assignerDrive.js";
import { decodeAssignment } from "../slice/assignmentWire.js";
import { formatGeneration } from "../slice/generation.js";
import { decodeReport, encodeReportAnswer } from "../slice/report.js";
import { encodeRuleVersion, type RuleVersion } from "../slice/ruleVersion.js";
import { readJson } from "../slice/wire.js";
import { ASSIGNER_PAGE } from "../ui/assignerPage.js";
import type { Tokens } from "./auth.js";
import { type HttpAnswer, type HttpRequest, jsonAnswer, NO_BODY_BYTES, type RequestHead, type Route } from "./server.js";

export interface AssignerDoors {
  readonly drive: AssignerDrive;
  /** Reports of another cluster are refused. */
  readonly cluster: string;
  readonly tokens: Tokens | undefined;
  readonly adminTokens: Tokens | undefined;
  /** The version with this hash; undefined: the newest. */
  readonly rules: (hash: string | undefined) => RuleVersion | undefined;
  /** Reads the files again, active from then on (event time, ms; undefined: soon). What came of it, for people. */
  readonly reload: (activeFromMs: number | undefined) => Promise<{ readonly ok: boolean; readonly message: string }>;
}

/** The page runs its own script and asks this server, nothing else. */
const PAGE_HEADERS = { "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'" };
const DRAIN_BYTES_MAX = 4096;

export function assignerRoutes(doors: AssignerDoors): readonly Route[] {
  const { drive, tokens, adminTokens } = doors;
  const admit = admitter(adminTokens === undefined ? [tokens] : [tokens, adminTokens], "--token-file", tokens !== undefined);
  const admin = admitter(
    adminTokens === undefined ? [tokens] : [adminTokens],
    adminTokens === undefined ? "--token-file" : "--admin-token-file",
    true,
  );
  return [
    { method: "POST", path: "/api/v1/heartbeat", admit, answer: (request) => heartbeat(doors, request) },
    { method: "PUT", path: "/api/v1/assignment", admit, answer: (request) => takeAssignment(drive, request) },
    { method: "GET", path: "/api/v1/assignment", admit, answer: () => assignmentAnswer(drive.line) },
    { method: "GET", path: "/api/v1/watch", admit, answer: () => watchAnswer(drive) },
    { method: "GET", path: "/api/v1/rules", admit, answer: () => rulesAnswer(doors, undefined) },
    { method: "GET", path: "/api/v1/rules/*", admit, answer: ({ path }) => rulesAnswer(doors, path.split("/").at(-1)) },
    { method: "PUT", path: "/api/v1/rules", admit: admin, bodyBytesMax: NO_BODY_BYTES, answer: (request) => reload(doors, request) },
    { method: "POST", path: "/api/v1/drain", admit: admin, bodyBytesMax: DRAIN_BYTES_MAX, answer: (request) => drain(drive, request) },
    {
      method: "GET",
      path: "/",
      answer: () => ({ status: 200, contentType: "text/html; charset=utf-8", headers: PAGE_HEADERS, body: ASSIGNER_PAGE }),
    },
  ];
}

function admitter(lists: readonly (Tokens | undefined)[], flag: string, isGuarded: boolean): (head: RequestHead) => HttpAnswer | undefined {
  const known = lists.filter((list) => list !== undefined);
  return ({ headers, query }) => {
    if (!isGuarded || known.length === 0 || known.some((list) => list.admits(headers, query))) return undefined;
    const error = `unauthorized: a token of ${flag} is wanted, as \`Authorization: Bearer ...\``;
    return jsonAnswer(401, { error }, { "www-authenticate": 'Bearer realm="limpet"' });
  };
}

function heartbeat({ drive, cluster }: AssignerDoors, { body }: HttpRequest): HttpAnswer {
  const read = decodeReport(body.toString("utf8"));
  if (!read.ok) return jsonAnswer(400, { error: read.error });
  if (read.value.cluster !== cluster) return jsonAnswer(409, { error: `this is cluster ${cluster}, not ${read.value.cluster}; --cluster names it` });
  return { status: 200, contentType: "application/json", body: encodeReportAnswer(drive.report(read.value)) };
}

function takeAssignment(drive: AssignerDrive, { body }: HttpRequest): HttpAnswer {
  const read = decodeAssignment(body.toString("utf8"));
  if (!read.ok) return jsonAnswer(400, { error: read.error });
  drive.seen(read.value);
  return jsonAnswer(200, { generation: formatGeneration(read.value.generation) });
}

function assignmentAnswer(line: string | undefined): HttpAnswer {
  if (line === undefined) return jsonAnswer(404, { error: "there is no assignment yet; aggregators must report first" });
  return { status: 200, contentType: "application/json", body: `${line}\n` };
}

function watchAnswer(drive: AssignerDrive): HttpAnswer {
  if (drive.watchers.full) return jsonAnswer(503, { error: "too many watchers" }, { "retry-after": "5" });
  return {
    status: 200,
    contentType: "application/x-ndjson",
    body: "",
    stream: (out) => {
      drive.watch(out);
    },
  };
}

function rulesAnswer({ rules }: AssignerDoors, hash: string | undefined): HttpAnswer {
  const version = rules(hash);
  if (version === undefined) return jsonAnswer(404, { error: `no rules ${hash ?? ""} are known` });
  return { status: 200, contentType: "application/json", body: `${encodeRuleVersion(version)}\n` };
}

async function reload({ reload: read }: AssignerDoors, { query }: HttpRequest): Promise<HttpAnswer> {
  const given = query.get("active_from_ms");
  const activeFromMs = given === null ? undefined : Number(given);
  if (activeFromMs !== undefined && !Number.isSafeInteger(activeFromMs))
    return jsonAnswer(400, { error: `active_from_ms=${given ?? ""} is not a time in ms` });
  const { ok, message } = await read(activeFromMs);
  return ok ? jsonAnswer(200, { message }) : jsonAnswer(422, { error: message });
}

const drainWire = z.object({ resource: z.string().min(1).max(512) });

/** A Resource by its id, its address, or `host:port` when one process lives there. */
function drain(drive: AssignerDrive, { body }: HttpRequest): HttpAnswer {
  const read = readJson(body.toString("utf8"), drainWire);
  if (!read.ok) return jsonAnswer(400, { error: read.error });
  const { resource } = read.value;
  const here = drive.assigner.members().filter(({ state }) => state !== "gone");
  const found = here.filter(({ id, address }) => id === resource || address === resource || id.split("@")[0] === resource);
  const [only] = found;
  if (only === undefined || found.length > 1)
    return jsonAnswer(404, {
      error: `${found.length === 0 ? "no resource is called" : "several resources are called"} ${resource}`,
      resources: here.map(({ id }) => id),
    });
  if (only.state === "staying")
    return jsonAnswer(409, { error: `${only.id} is restarting in place: nothing can move before it is back; drain it then` });
  drive.drain(only.id);
  return jsonAnswer(202, { resource: only.id });
}
