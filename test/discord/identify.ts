import { GatewayIntentBits } from "discord-api-types/v10";
import { closeCode } from "./connection.ts";
import type { Identity } from "./sessions.ts";
import type { ApplicationRecord, World } from "./world.ts";

const privilegedIntents =
  GatewayIntentBits.GuildMembers | GatewayIntentBits.GuildPresences | GatewayIntentBits.MessageContent;
const everyIntent = Object.values(GatewayIntentBits)
  .filter((bit) => typeof bit === "number")
  .reduce((sum, bit) => sum | bit, 0);
const dayMs = 86_400_000;

/** Why an IDENTIFY is answered by a close; `blame` when the program could have known. */
type IdentifyRefusal = { code: number; reason: string; blame: boolean; detail: unknown };

function refused(code: number, reason: string, blame: boolean, detail: unknown = null): IdentifyRefusal {
  return { code, reason, blame, detail };
}

/** Whose token a payload carries. */
export function owner(world: World, d: Record<string, unknown>): ApplicationRecord | undefined {
  const token = typeof d["token"] === "string" ? d["token"].replace(/^Bot /, "") : "";
  return [...world.applications.values()].find((found) => found.token === token);
}

/** Reads an IDENTIFY, in the order in which Discord finds fault with it. */
export function readIdentify(world: World, d: Record<string, unknown>): Identity | IdentifyRefusal {
  const application = owner(world, d);
  if (application === undefined) {
    return refused(closeCode.authenticationFailed, "Authentication failed.", false);
  }
  const { intents, properties } = d;
  const known = typeof intents === "number" && Number.isInteger(intents) && intents >= 0;
  if (!known || (intents & ~everyIntent) !== 0) {
    return refused(closeCode.invalidIntents, "Invalid intent(s).", true, intents);
  }
  if ((intents & privilegedIntents & ~application.privilegedIntents) !== 0) {
    return refused(closeCode.disallowedIntents, "Disallowed intent(s).", false);
  }
  if (typeof properties !== "object" || properties === null) {
    return refused(closeCode.decodeError, "Error while decoding payload.", true, "properties are missing");
  }
  const shard = (d["shard"] ?? [0, 1]) as [number, number];
  if (!Array.isArray(shard) || shard.length !== 2 || !(shard[0] >= 0 && shard[0] < shard[1])) {
    return refused(closeCode.invalidShard, "Invalid shard.", true, shard);
  }
  return { application, shard, intents };
}

/** Refills a day's IDENTIFYs once the day is over. */
export function refreshLimit(world: World, application: ApplicationRecord): ApplicationRecord["limit"] {
  const { limit } = application;
  if (world.clock.nowMs() >= limit.resetAtMs) {
    limit.remaining = limit.total;
    limit.resetAtMs = world.clock.nowMs() + dayMs;
  }
  return limit;
}

/** Counts an IDENTIFY: whether it is one too many of the day, too early after the last one, or fine. */
export function spendIdentify(
  world: World,
  { application, shard }: Identity,
  intervalMs: number,
): "spent" | "early" | "fine" {
  const limit = refreshLimit(world, application);
  if (limit.remaining <= 0) return "spent";
  const bucket = shard[0] % limit.maxConcurrency;
  const now = world.clock.nowMs();
  const last = application.identifiedAtMs.get(bucket);
  limit.remaining -= 1;
  application.identifiedAtMs.set(bucket, now);
  return last !== undefined && now - last < intervalMs ? "early" : "fine";
}
