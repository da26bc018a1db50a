// Prometheus' query API, as both servers speak it.

export interface QuerySample {
  /** With __name__. */
  readonly labels: Readonly<Record<string, string>>;
  readonly timeSec: number;
  readonly value: number;
}

interface QueryAnswer {
  readonly status: string;
  readonly error?: string;
  readonly data: {
    readonly resultType: string;
    readonly result: readonly {
      readonly metric: Record<string, string>;
      readonly value: readonly [number, string];
      readonly values?: readonly (readonly [number, string])[];
    }[];
  };
}

/** An instant query. A range selector (`m[1h]`) gives every raw sample of the range, in order per series. */
export async function promQuery(url: string, promql: string, timeSec: number): Promise<QuerySample[]> {
  const response = await fetch(`${url}/api/v1/query?${new URLSearchParams({ query: promql, time: String(timeSec) }).toString()}`);
  // The API's documented shape; a wrong one fails the reading below.
  const answer = (await response.json()) as QueryAnswer;
  if (answer.status !== "success") throw new Error(`${promql}: ${answer.error ?? response.status}`);
  return answer.data.result.flatMap((series) =>
    (series.values ?? [series.value]).map(([at, value]) => ({ labels: series.metric, timeSec: at, value: parseValue(value) })),
  );
}

function parseValue(text: string): number {
  return text === "+Inf" ? Infinity : text === "-Inf" ? -Infinity : Number(text);
}
