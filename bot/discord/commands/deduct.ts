import { denied, always, type SlashCommand } from "../command.ts";
import { namedMembers } from "../members.ts";
import { poolChoices } from "./choices.ts";
import { amountOption, memberOption, membersOption, poolOption, reasonOption } from "./options.ts";
import { pointsChange } from "./points.ts";

export const deduct: SlashCommand = {
  path: "dkp deduct",
  description: "Take points from one or several members (officers)",
  audience: "officers",
  options: [
    amountOption("How much each of them loses"),
    memberOption,
    membersOption,
    reasonOption,
    poolOption,
  ],
  ephemeral: always,
  autocomplete: poolChoices,
  async execute(invocation, surroundings) {
    const members = await namedMembers(invocation, surroundings);
    return "sentence" in members
      ? denied(members.sentence)
      : { kind: "change", change: pointsChange("deduct", invocation, members, true) };
  },
};
