import type { APIInteraction } from "discord.js";
import { payloadOf } from "../../store/inbox.ts";
import { denied, type ButtonCommand } from "../command.ts";
import { invocation as invocationOf } from "../interaction.ts";
import { namedMembers } from "../members.ts";
import { pointsChange } from "./points.ts";

/** Gives an award a second time, after the member confirmed that it is meant. */
export const againButton: ButtonCommand = {
  action: "again",
  audience: "officers",
  async execute(pressed, surroundings) {
    const [original = ""] = pressed.arguments;
    const payload = await payloadOf(surroundings.database, original);
    const award = payload === undefined ? undefined : invocationOf(payload as APIInteraction);
    if (award?.kind !== "command" || award.actor.userId !== pressed.actor.userId) {
      return denied("That question is too old: give the command again.");
    }
    const members = await namedMembers(award, surroundings);
    return "sentence" in members
      ? denied(members.sentence)
      : { kind: "change", change: pointsChange("award", award, members, true) };
  },
};
