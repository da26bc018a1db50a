// From a sink's URL to a Sink. Kinds are the folders of plugins/sinks, found by looking; there is no list to edit.
import { loadPlugins } from "../store/pluginFolders.js";
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
  const found = new Map<string, SinkPlugin>();
  for (const module of (await loadPlugins("sinks", () => "sink")).values()) {
    // The folder's contract (SinkPlugin) is what every plugin's own type annotation promises.
    const { sink } = module as { readonly sink: SinkPlugin };
    for (const scheme of sink.schemes) found.set(scheme, sink);
  }
  return found;
}
