// Options of everything that listens: address, tokens, TLS.
import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import type { Command } from "commander";
import { systemErrorCode } from "../base/systemError.js";
import { readTokenFile, type Tokens } from "../http/auth.js";
import { option, UsageError } from "./options.js";

export interface ListenOptions {
  readonly tokenFile?: string;
  readonly adminTokenFile?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
}

/** What the options name, read. */
export interface Listening {
  readonly tokens: Tokens | undefined;
  /** The first of them: what this process shows to others of its cluster. */
  readonly ownToken: string | undefined;
  readonly adminTokens: Tokens | undefined;
  readonly tls: { readonly cert: Buffer; readonly key: Buffer } | undefined;
}

export function addListenOptions(command: Command): Command {
  return command
    .addOption(option("--token-file <file>", "tokens that senders must show, one per line (Authorization: Token or Bearer)"))
    .addOption(option("--admin-token-file <file>", "tokens that /metrics and /api/v1/status ask for"))
    .addOption(option("--tls-cert <file>", "certificate chain (PEM): listen with TLS"))
    .addOption(option("--tls-key <file>", "its private key (PEM)"));
}

/** Reads the files. Throws UsageError. */
export function readListenOptions(options: ListenOptions): Listening {
  const tokens = tokensOf("--token-file", options.tokenFile);
  return {
    tokens: tokens?.tokens,
    ownToken: tokens?.first,
    adminTokens: tokensOf("--admin-token-file", options.adminTokenFile)?.tokens,
    tls: tlsOf(options.tlsCert, options.tlsKey),
  };
}

function tokensOf(flag: string, path: string | undefined): { readonly tokens: Tokens; readonly first: string } | undefined {
  if (path === undefined) return undefined;
  const result = readTokenFile(path);
  if (!result.ok) throw new UsageError(`${flag}: ${result.message}`);
  return result;
}

function tlsOf(cert: string | undefined, key: string | undefined): Listening["tls"] {
  if (cert === undefined && key === undefined) return undefined;
  if (cert === undefined || key === undefined) throw new UsageError("--tls-cert and --tls-key belong together; give both");
  const pair = { cert: fileOf("--tls-cert", cert), key: fileOf("--tls-key", key) };
  try {
    createSecureContext(pair);
  } catch (error) {
    throw new UsageError(
      `--tls-cert ${cert}, --tls-key ${key}: ${error instanceof Error ? error.message : "cannot be used"}; both must be PEM, and belong together`,
    );
  }
  return pair;
}

function fileOf(flag: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new UsageError(`${flag} ${path}: cannot be read (${systemErrorCode(error) ?? "unknown error"})`);
  }
}
