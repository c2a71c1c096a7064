import { describe, expect, test } from "vitest";
import type { DkpGuild } from "../../crds/dkp-guild.ts";
import { isStale } from "../../operator/guild/backup-status.ts";
import { backupAges, defaultSchedule } from "../../operator/guild/backup.ts";

const guild = (name: string, status?: object) =>
  ({ metadata: { namespace: "guilds", name }, status }) as unknown as DkpGuild;

test("ten thousand guilds back up between two and six, at times that are spread and stay", () => {
  const schedules = Array.from({ length: 10_000 }, (_, n) => defaultSchedule(guild(`guild-${n}`)));
  expect(schedules[7]).toBe(defaultSchedule(guild("guild-7")));
  const minutes = new Map<string, number>();
  for (const schedule of schedules) {
    expect(schedule).toMatch(/^([0-9]|[1-5][0-9]) ([0-9]|[1-5][0-9]) [2-5] \* \* \*$/);
    const [, minute, hour] = schedule.split(" ");
    minutes.set(`${hour}:${minute}`, (minutes.get(`${hour}:${minute}`) ?? 0) + 1);
  }
  // 42 a minute on average.
  expect(minutes.size).toBe(240);
  expect(Math.max(...minutes.values())).toBeLessThan(84);
});

describe("the last base backup, now being noon of the tenth,", () => {
  const noon = Date.parse("2026-11-10T12:00:00Z");
  test.each([
    ["of last night is fresh", "2026-11-10T03:05:00Z", "2026-11-10T03:00:00Z", "2026-11-11T03:00:00Z", false],
    [
      "of the night before is stale",
      "2026-11-09T03:05:00Z",
      "2026-11-10T03:00:00Z",
      "2026-11-11T03:00:00Z",
      true,
    ],
    ["may take two hours", "2026-11-09T11:00:00Z", "2026-11-10T11:00:00Z", "2026-11-11T11:00:00Z", false],
    [
      "of a weekly schedule is fresh",
      "2026-11-04T03:05:00Z",
      "2026-11-04T03:00:00Z",
      "2026-11-11T03:00:00Z",
      false,
    ],
    [
      "is stale where nobody starts the next",
      "2026-11-08T03:05:00Z",
      "2026-11-08T03:00:00Z",
      "2026-11-09T03:00:00Z",
      true,
    ],
    ["is fresh for 26 hours without a schedule", "2026-11-09T10:30:00Z", undefined, undefined, false],
    ["is stale after 26 hours without a schedule", "2026-11-09T09:30:00Z", undefined, undefined, true],
  ])("%s", (_, last, lastScheduleTime, nextScheduleTime, stale) => {
    const times = {
      ...(lastScheduleTime === undefined ? {} : { lastScheduleTime }),
      ...(nextScheduleTime === undefined ? {} : { nextScheduleTime }),
    };
    expect(isStale(last, times, noon)).toBe(stale);
  });
});

test("the age of a backup is in seconds, and a guild without one has none", () => {
  const nowMs = Date.parse("2026-11-10T12:00:00Z");
  const guilds = [guild("a", { backup: { lastSuccess: "2026-11-10T11:00:00Z" } }), guild("b")];
  expect(backupAges(guilds, nowMs)).toEqual([{ namespace: "guilds", guild: "a", value: 3_600 }]);
});
