// The allowed word somebody probably meant: least edit distance (insert, delete, replace, swap of neighbours).

/** Restricted Damerau-Levenshtein distance; at most `limit + 1` is told apart. */
function distance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let least = Math.min((above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (above[j - 1] ?? 0) + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) least = Math.min(least, (before[j - 2] ?? 0) + 1);
      row.push(least);
    }
    before = above;
    above = row;
  }
  return above[b.length] ?? limit + 1;
}

/**
 * The word of `allowed` nearest to `word`, or undefined when none is near: within a third of its length (rounded up),
 * or with `word` as its beginning (3 letters or more). Case, `-` and `_` do not count. The first of equals wins.
 */
export function nearest(word: string, allowed: Iterable<string>): string | undefined {
  const plain = (text: string): string => text.toLowerCase().replaceAll("-", "_");
  const wanted = plain(word);
  if (wanted.length > 64) return undefined;
  let best: string | undefined;
  let least = Math.ceil(wanted.length / 3) + 1;
  let beginning: string | undefined;
  for (const candidate of allowed) {
    const far = distance(wanted, plain(candidate), least);
    if (far < least) {
      least = far;
      best = candidate;
    }
    if (wanted.length >= 3 && plain(candidate).startsWith(wanted)) beginning ??= candidate;
  }
  return best ?? beginning;
}
