// Rows as JSON lines, as `replay` prints them: `file:PATH` appends them to a file, `stdout:` prints them.
import { fileURLToPath } from "node:url";
import { isNativeError } from "node:util/types";
import { type Sink, type SinkOptions, type SinkPlugin, SinkUrlError } from "#limpet/sink/sink.js";
import { fileOutput, streamOutput } from "./outputs.js";
import { type TextOutput, TextSink } from "./textSink.js";

export const sink: SinkPlugin = { schemes: ["file", "stdout"], form: "file:PATH or stdout:", open };

function open(url: string, options: SinkOptions): Sink {
  if (url.toLowerCase().startsWith("stdout:")) {
    if (url.length > "stdout:".length) throw new SinkUrlError(`--sink "${url}" has something behind the colon; use stdout:`);
    return new TextSink("stdout:", streamOutput(process.stdout), options);
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
