/** Told what a long piece of work is doing, so that nobody ever waits before a silent screen. */
export type Progress = {
  /** Runs `work` as one named step: announced, kept alive while it lasts (with what `detail` says), timed at its end. */
  step<T>(title: string, work: (detail: (text: string) => void) => Promise<T>): Promise<T>;
  /** One line between steps. */
  note(text: string): void;
};

/** Where progress goes; a terminal gets a line that moves, anything else a line every `everyMs`. */
export type ProgressOutput = { write(text: string): void; terminal: boolean; everyMs?: number };

const frames = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/** A progress that writes to `output`. Steps shorter than a second leave only their closing line. */
export function progressTo(output: ProgressOutput): Progress {
  const everyMs = output.everyMs ?? (output.terminal ? 120 : 10_000);
  let running = 0;
  return {
    note: (text) => output.write(`${text}\n`),
    async step(title, work) {
      const started = performance.now();
      const seconds = (): string => `${((performance.now() - started) / 1000).toFixed(1)} s`;
      let said = "";
      let frame = 0;
      // Of steps side by side only one can own the moving line; the others just end with theirs.
      const owner = running === 0;
      running += 1;
      const tick = (): void => {
        const line = `${title}, ${seconds()}${said === "" ? "" : `, ${said}`}`;
        if (!output.terminal) {
          output.write(`  … ${line}\n`);
        } else if (owner) {
          frame += 1;
          output.write(`\r\u001b[2K${frames[frame % frames.length] ?? ""} ${line}`);
        }
      };
      const timer = setInterval(tick, everyMs);
      const clear = output.terminal ? "\r\u001b[2K" : "";
      try {
        const result = await work((text) => {
          said = text;
        });
        output.write(`${clear}✓ ${title} (${seconds()})\n`);
        return result;
      } catch (cause) {
        output.write(`${clear}✗ ${title} (${seconds()})\n`);
        throw cause;
      } finally {
        running -= 1;
        clearInterval(timer);
      }
    },
  };
}

/** A progress that says nothing. */
export const silent: Progress = {
  step: (_title, work) => work(() => undefined),
  note: () => undefined,
};
