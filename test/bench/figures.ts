/** One line of the table: what was measured beside what is wanted. */
export type Figure = {
  measure: string;
  /** What the design asks for, as text; empty where the figure only explains another. */
  target: string;
  measured: string;
  /** Absent where there is no target. */
  met?: boolean;
};

/** The middle of the values; NaN when there are none. */
export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  const lower = sorted[Math.ceil(sorted.length / 2) - 1] ?? Number.NaN;
  return (upper + lower) / 2;
}

/** Nearest-rank percentile, `share` from 0 to 1; NaN when there are no values. */
export function percentile(values: number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

/** A number with few enough digits to be read. */
export function digits(value: number): string {
  const shown = Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
  return Number.isInteger(value) ? String(value) : shown;
}

/** The figures as a Markdown table. */
export function table(figures: Figure[]): string {
  const met = ({ met }: Figure) => (met === undefined ? "" : met ? "yes" : "no");
  const body = figures.map((figure) => [figure.measure, figure.target, figure.measured, met(figure)]);
  return aligned(["measure", "target", "measured", "met"], body);
}

/** A Markdown table whose columns line up. */
export function aligned(head: string[], body: string[][]): string {
  const widths = head.map((_, column) => Math.max(...[head, ...body].map((row) => row[column]?.length ?? 0)));
  const line = (row: string[]) =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  return `${[line(head), line(widths.map((width) => "-".repeat(width))), ...body.map(line)].join("\n")}\n`;
}
