// Bytes in case files: {{5*text}} repeats, {{gzip:text}} and {{snappy:text}} pack, {{hex:00ff}} is bytes; the innermost first.
import { gzipSync } from "node:zlib";
import { compressSnappy } from "#limpet/base/snappy.js";

/** The bytes of a text with macros, one character per byte. */
export function expand(text: string): string {
  let bytes = Buffer.from(text).toString("latin1");
  for (;;) {
    const end = bytes.indexOf("}}");
    const start = end < 0 ? -1 : bytes.lastIndexOf("{{", end);
    if (start < 0) return bytes;
    const [, times, name = "", content = ""] = /^(?:(\d+)\*|(\w+):)(.*)$/s.exec(bytes.slice(start + 2, end)) ?? [];
    const made = times === undefined ? apply(name, content) : content.repeat(Number(times));
    bytes = bytes.slice(0, start) + made + bytes.slice(end + 2);
  }
}

function apply(name: string, content: string): string {
  const bytes = Buffer.from(content, "latin1");
  if (name === "gzip") return gzipSync(bytes).toString("latin1");
  if (name === "snappy") return Buffer.from(compressSnappy(bytes)).toString("latin1");
  if (name === "hex") return Buffer.from(content.replace(/\s/g, ""), "hex").toString("latin1");
  throw new Error(`no macro ${name}`);
}
