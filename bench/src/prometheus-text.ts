/** Sums a metric over its labels in Prometheus' text format; `labels` narrows it to lines that contain them. */
export function metricIn(text: string, name: string, labels = ''): number {
  let total = 0;
  for (const line of text.split('\n')) {
    const [, metric, labelled = '', value] = /^(\w+)(\{.*\})? (\S+)$/.exec(line) ?? [];
    if (metric === name && labelled.includes(labels)) total += Number(value);
  }
  return total;
}
