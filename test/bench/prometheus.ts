/** Samples of one metric family: its labels and its value. */
export type Sample = { labels: Record<string, string>; value: number };

/** The samples named `name` in a page of the Prometheus text format. */
export function samples(page: string, name: string): Sample[] {
  return page
    .split("\n")
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .map((line) => ({
      labels: Object.fromEntries(
        [...line.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, label = "", value = ""]) => [label, value]),
      ),
      value: Number(line.slice(line.lastIndexOf(" "))),
    }));
}

/** The sum of the samples that `counts` accepts. */
export function sum(
  page: string,
  name: string,
  counts: (labels: Sample["labels"]) => boolean = () => true,
): number {
  return samples(page, name)
    .filter(({ labels }) => counts(labels))
    .reduce((total, { value }) => total + value, 0);
}
