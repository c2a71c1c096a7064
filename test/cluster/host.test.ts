import { expect, test } from "vitest";
import { unfit } from "./host.ts";

test.each([
  { platform: "linux", uid: 0, says: undefined },
  { platform: "linux", uid: 1000, says: "run this again as root" },
  { platform: "darwin", uid: 0, says: "needs Docker" },
] as const)(
  "on $platform as user $uid one line says what is missing, if anything",
  ({ platform, uid, says }) => {
    const reason = unfit(platform, uid);
    if (says === undefined) {
      expect(reason).toBeUndefined();
    } else {
      expect(reason).toContain(says);
      expect(reason).not.toContain("\n");
    }
  },
);
