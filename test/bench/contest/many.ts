import type { Progress } from "../../cluster/progress.ts";
import { startControllers, timed } from "../creation.ts";
import { openArena } from "./arena.ts";
import { type ContestantName, type Start, titles } from "./contestants.ts";
import { quiet } from "./quiet.ts";
import { type Restart, restartedAt } from "./trial.ts";

export type Many = Restart & { peakMb: number };

const settlingMs = 15_000;

/**
 * A start over very many guilds that are as they should be. The bare writer makes them; each contestant is started twice, and the first
 * time, when it may have to make them its own, does not count.
 */
export async function many(options: {
  guilds: number;
  names: ContestantName[];
  starts: Record<ContestantName, Start>;
  progress: Progress;
  done: (name: ContestantName, result: Many) => Promise<void>;
}): Promise<void> {
  const { guilds, progress, starts } = options;
  const arena = await progress.step(`an API server with ${guilds} tokens`, () => openArena(guilds));
  const { server } = arena;
  try {
    const controllers = await startControllers(server, guilds);
    const writer = await progress.step(`${guilds} guilds by the bare writer`, () =>
      timed({ server, guilds, order: "appearing" }, controllers, () => starts.writer(arena, { guilds })),
    );
    await writer.result.stop();
    for (const name of options.names) {
      const result = await progress.step(`${guilds} guilds, restart: ${titles[name]}`, async (detail) => {
        detail("making them its own");
        // It may have to write each child once more.
        const first = await restartedAt(arena, starts[name], { patience: 3_600 });
        await first.running.stop();
        detail("starting again");
        const { running, restart } = await restartedAt(arena, starts[name]);
        await new Promise((resolve) => setTimeout(resolve, settlingMs));
        await quiet(running);
        const { rssMb, peakMb } = running.usage();
        await running.stop();
        return { ...restart, rssMb, peakMb };
      });
      await options.done(name, result);
    }
    await controllers.stop();
  } finally {
    await arena.stop();
  }
}
