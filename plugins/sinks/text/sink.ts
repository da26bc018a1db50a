// Rows as lines, as `replay` prints them: `file:PATH` appends JSON to a file, `stdout:` prints it, `stdout:lp` and `stdout:prom` another format.
import { fileURLToPath } from "node:url";
import { isNativeError } from "node:util/types";
import { rowFormats } from "#limpet/metric/rowText.js";
import { type Sink, type SinkOptions, type SinkPlugin, SinkUrlError } from "#limpet/sink/sink.js";
import { fileOutput, streamOutput } from "./outputs.js";
import { type TextOutput, TextSink } from "./textSink.js";

export const sink: SinkPlugin = { schemes: ["file", "stdout"], form: "file:PATH or stdout:", open };

function open(url: string, options: SinkOptions): Sink {
  if (url.toLowerCase().startsWith("stdout:")) {
    const format = rowFormats.find((known) => known === (url.slice("stdout:".length) || "json"));
    if (format === undefined) throw new SinkUrlError(`--sink "${url}" names no format; use stdout: (JSON), stdout:lp or stdout:prom`);
    return new TextSink("stdout:", streamOutput(process.stdout), options, format);
  }
  return new TextSink(url, openFile(url), options);
}

function openFile(url: string): TextOutput {
  const path = url.slice("file:".length);
  if (path === "") throw new SinkUrlError(`--sink "${url}" names no file; use file:PATH`);
  try {
    return fileOutput(path.startsWith("//") ? fileURLToPath(url) : path);
  } catch (error) {
    const why = isNativeError(error) ? error.message : String(error);
    throw new SinkUrlError(`--sink "${url}" cannot be opened for appending (${why}); its folder must exist and be writable`);
  }
}
