// Telegraf's metric filters, as models/filter.go applies them: on the measurement, the tags and the field as they came in, before
// any naming.
//
//   namepass (any pattern) and not namedrop; any tagpass holds and no tagdrop does; fieldinclude and not fieldexclude
//
// A tagpass or tagdrop on several tags is an OR. A tag that is not there matches nothing.

export type Texts = (text: string) => boolean;

/** Compiled patterns; undefined where the rule has none. Tags in the order of their names. */
export interface TelegrafFilter {
  /** The same for filters that mean the same by their text: part of the rule's id. */
  readonly canonical: string;
  readonly namepass: Texts | undefined;
  readonly namedrop: Texts | undefined;
  readonly tagpass: readonly (readonly [tag: string, values: Texts])[] | undefined;
  readonly tagdrop: readonly (readonly [tag: string, values: Texts])[] | undefined;
  readonly fieldinclude: Texts | undefined;
  readonly fieldexclude: Texts | undefined;
}

/** A line as it came in, as text. */
export interface RawLine {
  readonly measurement: string;
  readonly tags: readonly (readonly [name: string, value: string])[];
}

function anyTag(filters: NonNullable<TelegrafFilter["tagpass"]>, line: RawLine): boolean {
  return filters.some(([tag, values]) => line.tags.some(([name, value]) => name === tag && values(value)));
}

/** Whether the line passes; its fields are another question. */
export function acceptsLine(filter: TelegrafFilter, line: RawLine): boolean {
  if (filter.namepass?.(line.measurement) === false || filter.namedrop?.(line.measurement) === true) return false;
  if (filter.tagpass !== undefined && !anyTag(filter.tagpass, line)) return false;
  return filter.tagdrop === undefined || !anyTag(filter.tagdrop, line);
}

export function acceptsField(filter: TelegrafFilter, field: string): boolean {
  return filter.fieldinclude?.(field) !== false && filter.fieldexclude?.(field) !== true;
}
