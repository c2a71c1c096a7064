import { styleText } from "node:util";

/** Where a command writes, and how. */
export type Terminal = {
  /** A line to standard output. */
  say(line: string): void;
  /** A line to standard error: progress and notes, which are no part of the answer. */
  note(line: string): void;
  /** Whether colours are wanted. */
  colours: boolean;
};

type Colour = "green" | "yellow" | "red" | "bold" | "dim";

/** Text in a colour, where colours are wanted. */
export function paint(terminal: Terminal, colour: Colour, text: string): string {
  return terminal.colours ? styleText(colour, text, { validateStream: false }) : text;
}

/** Rows in columns under their headings, as kubectl sets them. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  return [headings, ...rows].map((row) =>
    row
      .map((cell, column) => cell.padEnd((widths[column] ?? 0) + 3))
      .join("")
      .trimEnd(),
  );
}

/** How long ago a time was, as kubectl says it: 45s, 12m, 5h, 3d. */
export function ago(time: string | undefined, nowMs: number): string {
  const atMs = Date.parse(time ?? "");
  if (Number.isNaN(atMs)) return "-";
  const seconds = Math.max(0, Math.round((nowMs - atMs) / 1_000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)}m`;
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)}h` : `${Math.round(seconds / 86_400)}d`;
}
