import { defineConfig } from "vitest/config";

const root = import.meta.dirname;
const shared = { root, testTimeout: 300_000, hookTimeout: 300_000 };

export default defineConfig({
  test: {
    root,
    // One cluster for all. A first run builds Kubernetes and every image.
    globalSetup: "setup.ts",
    reporters: ["verbose"],
    projects: [
      // This one counts what the operator writes, so nothing else may go on meanwhile.
      { test: { ...shared, name: "alone", include: ["guild.test.ts"], sequence: { groupOrder: 1 } } },
      // Waiting is most of what these do.
      {
        test: {
          ...shared,
          name: "together",
          include: ["*.test.ts"],
          exclude: ["guild.test.ts"],
          sequence: { groupOrder: 2 },
          maxWorkers: 3,
        },
      },
    ],
  },
});
