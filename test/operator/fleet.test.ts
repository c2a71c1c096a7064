import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { DkpGuild } from "../../crds/dkp-guild.ts";
import type { DkpGuildStatus } from "../../crds/status.ts";
import { type RolloutSettings, rolloutDefaults } from "../../operator/guild/fleet.ts";
import { type Rollout, nextRollout } from "../../operator/guild/rollout.ts";
import { openRollouts } from "../../operator/rollouts.ts";
import { logger } from "../../runtime/log.ts";
import { liveGuild } from "./guild.ts";

const log = logger({ level: "silent", format: "json", name: "test" });
const condition = (type: string, isTrue: boolean, reason: string) => ({
  type,
  status: isTrue ? ("True" as const) : ("False" as const),
  reason,
  message: "",
  lastTransitionTime: "2030-01-01T00:00:00Z",
});
const healthy: DkpGuildStatus = {
  observedGeneration: 1,
  lastHealthyImage: "bot:1",
  conditions: [condition("DatabaseReady", true, "x"), condition("BotReady", true, "x")],
};

const guildOf = (name: string, bot: object = {}, status = healthy): DkpGuild => ({
  ...liveGuild({ name }, { bot }),
  status,
});

/** A fleet whose guilds are looked at when they are woken, and whose pods do as they are told. */
function fleetOf(guilds: DkpGuild[], rollout: RolloutSettings = rolloutDefaults, images = {}) {
  const live = new Map(guilds.map((guild) => [`space/${guild.metadata.name}`, guild]));
  const woken = new Set<string>();
  const settings = {
    botImage: "bot:2",
    botImageCanary: "bot:2",
    postgresImage: "p",
    monitoringNamespace: "m",
    rollout,
    ...images,
  };
  const open = () => {
    const opened = openRollouts({ settings, wake: (key) => woken.add(key), log });
    for (const guild of live.values()) opened.onHeld(guild);
    return opened;
  };
  let rollouts = open();
  const put = (guild: DkpGuild) => {
    live.set(`space/${guild.metadata.name}`, guild);
    rollouts.onHeld(guild);
  };
  const change = (key: string, status: Partial<DkpGuildStatus>) => {
    const guild = live.get(key);
    if (guild === undefined) throw new Error(key);
    put({ ...guild, status: { observedGeneration: 1, ...guild.status, ...status } });
  };
  const wantedOf = ({ spec }: DkpGuild) =>
    spec.bot.image ?? (spec.bot.channel === "canary" ? settings.botImageCanary : settings.botImage);
  const look = (key: string) => {
    const guild = live.get(key);
    if (guild === undefined) return;
    const next = nextRollout(guild, wantedOf(guild), { nowMs: 0, hasFailedJob: false }, () =>
      rollouts.take(guild),
    );
    if (JSON.stringify(next) !== JSON.stringify(guild.status?.rollout)) record(guild, next);
  };
  const record = ({ metadata, status }: DkpGuild, rollout: Rollout | undefined) => {
    const { rollout: _, ...rest } = status ?? { observedGeneration: 1 };
    const guild = live.get(`space/${metadata.name}`);
    if (guild !== undefined) put({ ...guild, status: rollout === undefined ? rest : { ...rest, rollout } });
  };
  const inState = (state: string) =>
    [...live.values()]
      .filter(({ status }) => status?.rollout?.state === state)
      .map(({ metadata }) => metadata.name);
  return {
    /** All that were woken are looked at, until nobody is. */
    settle() {
      for (const key of woken) {
        woken.delete(key);
        look(key);
      }
    },
    lookAtAll() {
      for (const key of live.keys()) look(key);
    },
    restart() {
      rollouts = open();
    },
    end(name: string, how: "Done" | "Failed") {
      const key = `space/${name}`;
      const image = live.get(key)?.status?.rollout?.image ?? "";
      const stalled = [...(healthy.conditions ?? []), condition("Stalled", true, "RolloutFailed")];
      change(
        key,
        how === "Done"
          ? { lastHealthyImage: image, rollout: { image, state: "Done" } }
          : { rollout: { image, state: "Failed" }, conditions: stalled },
      );
    },
    ail(name: string) {
      const conditions = [
        condition("DatabaseReady", true, "x"),
        condition("BotReady", false, "PodsNotReady"),
      ];
      change(`space/${name}`, { conditions });
    },
    isOutage: () => rollouts.isOutage(),
    inState,
    message: (name: string) => live.get(`space/${name}`)?.status?.rollout?.message,
    put,
    names: () => [...live.values()].map(({ metadata }) => metadata.name),
  };
}

const many = (count: number) => Array.from({ length: count }, (_, n) => guildOf(`g${n}`));
const three: RolloutSettings = { maxInFlight: { count: 3 }, failureBudget: { percent: 20 } };

describe("a rollout over the fleet", () => {
  test.each([1, 2, 3])("never has more under way than allowed, and reaches all (seed %i)", (seed) => {
    const run = fc.property(
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 6 }),
      fc.infiniteStream(fc.nat()),
      (size, limit, choices) => {
        const fleet = fleetOf(many(size), { ...three, maxInFlight: { count: limit } });
        fleet.lookAtAll();
        for (let done = 0; done < size; done += 1) {
          const flying = fleet.inState("Progressing");
          expect(flying.length).toBeGreaterThan(0);
          expect(flying.length).toBeLessThanOrEqual(limit);
          const choice = choices.next().value ?? 0;
          if (choice % 5 === 0) fleet.restart();
          fleet.end(flying[choice % flying.length] ?? "", "Done");
          fleet.settle();
        }
        expect(fleet.inState("Done")).toHaveLength(size);
      },
    );
    fc.assert(run, { numRuns: 40, seed });
  });

  test("of an image that is broken everywhere halts at the budget, also after a restart", () => {
    const run = fc.property(
      fc.integer({ min: 3, max: 60 }),
      fc.integer({ min: 1, max: 8 }),
      fc.boolean(),
      (size, limit, restarts) => {
        const fleet = fleetOf(many(size), { ...three, maxInFlight: { count: limit } });
        fleet.lookAtAll();
        for (let flying = fleet.inState("Progressing"); flying.length > 0;) {
          fleet.end(flying[0] ?? "", "Failed");
          if (restarts) fleet.restart();
          fleet.settle();
          fleet.lookAtAll();
          flying = fleet.inState("Progressing");
        }
        expect(fleet.inState("Failed")).toHaveLength(2);
        expect(fleet.inState("Waiting")).toHaveLength(size - 2);
      },
    );
    fc.assert(run, { numRuns: 60 });
  });

  test("begins with one guild and doubles, so that few meet a broken image", () => {
    const fleet = fleetOf(many(40), { ...three, maxInFlight: { percent: 50 } });
    fleet.lookAtAll();
    const sizes: number[] = [];
    for (let flying = fleet.inState("Progressing"); flying.length > 0;) {
      sizes.push(flying.length);
      for (const name of flying) fleet.end(name, "Done");
      fleet.settle();
      flying = fleet.inState("Progressing");
    }
    expect(sizes).toEqual([1, 2, 4, 8, 16, 9]);
  });

  test("says how to go on when it is halted, and another image goes round again", () => {
    const fleet = fleetOf(many(10), three);
    fleet.lookAtAll();
    fleet.end("g0", "Failed");
    fleet.settle();
    fleet.end("g1", "Failed");
    fleet.settle();
    expect(fleet.message("g5")).toBe(
      "Halted: bot:2 failed on as many guilds as the failure budget allows (20 % of the guilds tried, and two). Give the operator another image, or try this guild alone: kubectl annotate guild g5 dkp.dev/retry-rollout=now",
    );
    const failed = guildOf("g5", {}, { ...healthy, rollout: { image: "bot:2", state: "Waiting" } });
    fleet.put({ ...failed, metadata: { ...failed.metadata, annotations: { "dkp.dev/retry-rollout": "" } } });
    fleet.lookAtAll();
    expect(fleet.inState("Progressing")).toEqual(["g5"]);
  });

  test("goes on past failures that are fewer than the budget", () => {
    const fleet = fleetOf(many(30), three);
    fleet.lookAtAll();
    for (let n = 0, flying = fleet.inState("Progressing"); flying.length > 0; n += 1) {
      fleet.end(flying[0] ?? "", n % 6 === 5 ? "Failed" : "Done");
      fleet.settle();
      flying = fleet.inState("Progressing");
    }
    expect(fleet.inState("Failed")).toHaveLength(5);
    expect(fleet.inState("Waiting")).toEqual([]);
  });
});

describe("guilds that are not being rolled", () => {
  test("and are unwell, half of them or more, pause the rollout; it goes on when they are well", () => {
    const fleet = fleetOf(many(10), three);
    fleet.lookAtAll();
    const [flying = ""] = fleet.inState("Progressing");
    for (const name of fleet.names().filter((each) => each !== flying)) fleet.ail(name);
    expect(fleet.isOutage()).toBe(true);
    fleet.end(flying, "Done");
    fleet.settle();
    expect(fleet.inState("Progressing")).toEqual([]);
    for (const name of fleet.names().slice(3)) fleet.put(guildOf(name));
    fleet.settle();
    expect(fleet.inState("Progressing")).not.toEqual([]);
  });

  test("and fare no better than those that failed keep an image from being blamed", () => {
    const fleet = fleetOf(many(12), { ...three, maxInFlight: { count: 1 } });
    for (const name of ["g9", "g10", "g11", "g8"]) fleet.ail(name);
    fleet.lookAtAll();
    for (const how of ["Done", "Done", "Done", "Failed", "Failed", "Done"] as const) {
      const [flying = ""] = fleet.inState("Progressing");
      expect(flying).not.toBe("");
      fleet.end(flying, how);
      fleet.settle();
    }
    expect(fleet.inState("Failed")).toHaveLength(2);
    expect(fleet.inState("Progressing")).toHaveLength(1);
  });

  test.each(["TokenInvalid", "NotInGuild", "SecretMissing"])("wait for their turn while %s", (reason) => {
    const conditions = [condition("DatabaseReady", true, "x"), condition("BotReady", false, reason)];
    const fleet = fleetOf([guildOf("bad", {}, { ...healthy, conditions }), ...many(4)], three);
    fleet.lookAtAll();
    expect(fleet.inState("Progressing")).toEqual(["g0"]);
    expect(fleet.message("bad")).toMatch(/database and Discord are in order/);
  });
});

describe("who goes first", () => {
  test("is who follows the canary channel, until all of them are done", () => {
    const canaries = ["c0", "c1"].map((name) => guildOf(name, { channel: "canary" }));
    const fleet = fleetOf([...many(4), ...canaries], three, { botImageCanary: "bot:3" });
    fleet.lookAtAll();
    fleet.settle();
    expect(fleet.inState("Progressing")).toEqual(["c0"]);
    fleet.end("c0", "Done");
    fleet.settle();
    expect(fleet.inState("Progressing")).toEqual(["c1"]);
    fleet.end("c1", "Done");
    fleet.settle();
    expect(fleet.inState("Progressing")).toEqual(["g0"]);
  });

  test("is not held up by canaries whose image was halted, if it is another", () => {
    const canaries = ["c0", "c1", "c2"].map((name) => guildOf(name, { channel: "canary" }));
    const fleet = fleetOf([...many(4), ...canaries], three, { botImageCanary: "bot:3" });
    fleet.lookAtAll();
    fleet.settle();
    for (const name of ["c0", "c1"]) {
      fleet.end(name, "Failed");
      fleet.settle();
    }
    expect(fleet.inState("Progressing")).toEqual(["g0"]);
  });

  test("an image of a guild's own is not halted by the others' failures", () => {
    const fleet = fleetOf(many(5), three);
    fleet.lookAtAll();
    for (const name of ["g0", "g1"]) {
      fleet.end(name, "Failed");
      fleet.settle();
    }
    fleet.put(guildOf("g4", { image: "own:1" }));
    fleet.lookAtAll();
    expect(fleet.inState("Progressing")).toEqual(["g4"]);
  });
});
