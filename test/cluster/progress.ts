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
  // Of steps within steps or side by side only the newest speaks while it lasts.
  const running: symbol[] = [];
  return {
    note: (text) => output.write(`${text}\n`),
    async step(title, work) {
      const started = performance.now();
      const seconds = (): string => `${((performance.now() - started) / 1000).toFixed(1)} s`;
      let said = "";
      let frame = 0;
      const me = Symbol(title);
      running.push(me);
      const tick = (): void => {
        if (running.at(-1) !== me) {
          return;
        }
        const line = `${title}, ${seconds()}${said === "" ? "" : `, ${said}`}`;
        if (!output.terminal) {
          output.write(`  … ${line}\n`);
        } else {
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
        running.splice(running.indexOf(me), 1);
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
