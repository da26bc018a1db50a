// Every key the dialect has, and what this version does with it.

/** Keys that are read. */
export const readKeys = [
  "name",
  "match",
  "interval",
  "dedup_interval",
  "by",
  "without",
  "outputs",
  "keep_metric_names",
  "output_name",
  "grace",
  "late",
  "time",
  "first_sample",
  "series_memory",
  "staleness_interval",
  "max_series",
  "max_groups",
  "labels",
  "type",
  "temporality",
  "sketch",
  "matched",
  "state",
  "ignore_first_sample_interval",
  "ignore_old_samples",
  "ignore_first_intervals",
  "flush_on_shutdown",
  "enable_windows",
  "no_align_flush_to_interval",
  "drop_input_labels",
  "input_relabel_configs",
  "output_relabel_configs",
  "namepass",
  "namedrop",
  "tagpass",
  "tagdrop",
  "fieldinclude",
  "fieldexclude",
  "fieldpass",
  "fielddrop",
] as const;

/** Telegraf's filters. `fieldpass` and `fielddrop` are old names of `fieldinclude` and `fieldexclude`. */
export const filterKeys = ["namepass", "namedrop", "tagpass", "tagdrop", "fieldinclude", "fieldexclude", "fieldpass", "fielddrop"] as const;

/** Keys of one relabelling step. */
export const relabelKeys = ["action", "if", "source_labels", "separator", "target_label", "regex", "modulus", "replacement"] as const;

/** Not for `defaults`: they tell rules apart. */
export const ruleOnlyKeys: readonly string[] = ["name", "match"];

/** A rule that sets one of these does not take its counterparts from `defaults`. */
export const counterparts: Readonly<Record<string, readonly string[]>> = {
  by: ["without"],
  without: ["by"],
  keep_metric_names: ["output_name"],
  output_name: ["keep_metric_names"],
  late: ["ignore_old_samples"],
  ignore_old_samples: ["late"],
  first_sample: ["ignore_first_sample_interval"],
  ignore_first_sample_interval: ["first_sample"],
  fieldinclude: ["fieldpass"],
  fieldpass: ["fieldinclude"],
  fieldexclude: ["fielddrop"],
  fielddrop: ["fieldexclude"],
};

/** Keys that patch vmagent's loss of state: accepted, one info line each. */
export const acceptedKeys: Readonly<Record<string, { readonly kind: "boolean" | "count"; readonly why: string }>> = {
  ignore_first_intervals: { kind: "count", why: "accepted, without effect: state survives restarts, so no first interval has to be muted" },
  flush_on_shutdown: { kind: "boolean", why: "accepted, without effect: a stop checkpoints open windows with --data and emits them without" },
  enable_windows: { kind: "boolean", why: "accepted, without effect: windows always go by the samples' own time" },
  no_align_flush_to_interval: { kind: "boolean", why: "accepted, without effect: windows are always aligned to the Unix epoch" },
};
