// From a sink's URL to a Sink. Kinds are the folders of plugins/sinks, found by looking; there is no list to edit.
import { existsSync, readdirSync } from "node:fs";
import { withoutCredentials } from "./httpTarget.js";
import { type Sink, type SinkOptions, type SinkPlugin, SinkUrlError } from "./sink.js";

let loading: Promise<ReadonlyMap<string, SinkPlugin>> | undefined;

/** All kinds of sink by URL scheme. Reads the plugin folders once per process. */
export function loadSinks(): Promise<ReadonlyMap<string, SinkPlugin>> {
  loading ??= scanPlugins();
  return loading;
}

/** Opens the sink a URL names. Rejects with SinkUrlError (a configuration error) when it cannot be one. */
export async function openSink(url: string, options: SinkOptions): Promise<Sink> {
  const plugins = await loadSinks();
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(url)?.[1]?.toLowerCase();
  const plugin = scheme === undefined ? undefined : plugins.get(scheme);
  if (plugin === undefined) {
    const forms = [...new Set(plugins.values())].map((known) => known.form).sort();
    const what = scheme === undefined ? "names no kind of sink" : `has the unknown kind "${scheme}:"`;
    throw new SinkUrlError(`--sink "${withoutCredentials(url)}" ${what}; use ${forms.join(" or ")}`);
  }
  const sink = plugin.open(url, options);
  if (options.tls?.insecure === true) options.log("warn", `sink ${sink.name}: takes any certificate (insecure_skip_verify); ca_file trusts one`);
  return sink;
}

async function scanPlugins(): Promise<ReadonlyMap<string, SinkPlugin>> {
  // Built, plugins lie in dist beside this folder's parent; in the source tree one level higher.
  const folder = ["../plugins/sinks/", "../../plugins/sinks/"].map((path) => new URL(path, import.meta.url)).find((url) => existsSync(url));
  const found = new Map<string, SinkPlugin>();
  if (folder === undefined) return found;
  const extension = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const file = new URL(`${entry.name}/sink${extension}`, folder);
    if (!entry.isDirectory() || !existsSync(file)) continue;
    // The folder's contract (SinkPlugin) is what every plugin's own type annotation promises.
    const module = (await import(file.href)) as { readonly sink: SinkPlugin };
    for (const scheme of module.sink.schemes) found.set(scheme, module.sink);
  }
  return found;
}
