import { ApplicationCommandOptionType } from "../discord-js.ts";
import type { Json } from "../../ledger/event.ts";
import { restoreRefusal } from "../../ledger/decide-restore.ts";
import { RULE_KEYS, type RuleKey, type Rules } from "../../ledger/rules.ts";
import { always, denied, type SlashCommand } from "../command.ts";
import { textOption } from "../interaction.ts";
import { card, message } from "../message.ts";
import { amountText } from "../points.ts";
import { refusalText } from "../refusal-text.ts";
import { duration, enumerated, literal } from "../text.ts";

export const configShow: SlashCommand = {
  path: "dkp-admin config show",
  description: "Show the guild's rules and where each comes from (officers)",
  audience: "officers",
  inMaintenance: true,
  options: [],
  ephemeral: always,
  execute: (_invocation, { ledger, restore }) => ({
    kind: "answer",
    async answer() {
      await ledger.catchUp();
      const { rules, settings, mode } = ledger.state();
      const restored = restoreRefusal(ledger.state(), restore());
      const wait =
        restored === undefined
          ? []
          : [refusalText(restored, { rules, discordId: () => undefined, item: () => undefined }), ""];
      const lines = RULE_KEYS.map((key) => {
        const source = key in settings.git ? "Git" : key in settings.discord ? "here" : "default";
        return `\`${key}\`: ${shown[key](rules)} — ${source}`;
      });
      return card({
        title: "Rules",
        lines: [
          ...wait,
          `Mode: ${mode.mode}`,
          ...lines,
          "",
          "What Git sets is changed in the DkpGuild only.",
        ],
        footer: `Rules version ${rules.version}`,
      });
    },
  }),
};

export const configSet: SlashCommand = {
  path: "dkp-admin config set",
  description: "Change one of the guild's rules (officers)",
  audience: "officers",
  options: [
    {
      type: ApplicationCommandOptionType.String,
      name: "setting",
      description: "The rule",
      required: true,
      choices: RULE_KEYS.map((key) => ({ name: key, value: key })),
    },
    {
      type: ApplicationCommandOptionType.String,
      name: "value",
      description: "Its new value, or “default”. Pools: dkp:0, raid:2:100 (name:decimals:start points)",
      required: true,
      min_length: 1,
      max_length: 1000,
    },
  ],
  ephemeral: always,
  execute(invocation) {
    const key = RULE_KEYS.find((rule) => rule === textOption(invocation, "setting"));
    const text = textOption(invocation, "value");
    if (key === undefined || text === undefined) {
      return denied("Choose a setting from the list and give it a value.");
    }
    const value = settingValue(key, text);
    if (value === undefined) {
      return denied(`“${literal(text, 60)}” does not fit \`${key}\`: ${kinds[kindOf[key]].expected}.`);
    }
    return {
      kind: "change",
      change: {
        command: () => ({ type: "setRules", source: "discord", settings: { [key]: value } }),
        shown(outcome, view) {
          const now = shown[key](view.state.rules);
          return {
            reply: message(
              outcome.kind === "unchanged"
                ? `\`${key}\` is ${now} already.`
                : `\`${key}\` is now ${now}. It holds for everything from here on.`,
            ),
          };
        },
      },
    };
  },
};

const seconds = (value: number) => duration(value / 1000);

/** Each rule as its line shows it. */
const shown: Record<RuleKey, (rules: Rules) => string> = {
  pools: ({ pools }) =>
    pools
      .map(({ name, decimals, startPoints }) => {
        const start = startPoints === 0n ? "" : `, starts at ${amountText(startPoints, decimals)}`;
        return `**${literal(name)}** (${decimals} decimals${start})`;
      })
      .join(", "),
  "auctions.minimumBid": ({ auctions }) => amountText(auctions.minimumBid, 0),
  "auctions.increment": ({ auctions }) => amountText(auctions.increment, 0),
  "auctions.durationSeconds": ({ auctions }) => seconds(auctions.durationMs),
  "auctions.antiSnipe.windowSeconds": ({ auctions }) => seconds(auctions.antiSnipe.windowMs),
  "auctions.antiSnipe.extensionSeconds": ({ auctions }) => seconds(auctions.antiSnipe.extensionMs),
  "auctions.antiSnipe.maxExtensions": ({ auctions }) => String(auctions.antiSnipe.maxExtensions),
  "roles.officers": ({ roles }) =>
    roles.officers.length === 0
      ? "nobody besides the server's managers"
      : enumerated(
          roles.officers.map((id) => `<@&${id}>`),
          25,
        ),
  "channels.auctions": ({ channels }) => channelText(channels.auctions),
  "channels.results": ({ channels }) => channelText(channels.results),
  locale: ({ locale }) => literal(locale),
  timeZone: ({ timeZone }) => literal(timeZone),
};

function channelText(channelId: string | undefined): string {
  return channelId === undefined ? "the channel of the command" : `<#${channelId}>`;
}

/** The value that a text means for a rule, null for its default, undefined when it means none. */
function settingValue(key: RuleKey, text: string): Json | undefined {
  return text.toLowerCase() === "default" ? null : kinds[kindOf[key]].value(text);
}

type Kind = "pools" | "text" | "roles" | "channel" | "number";

const kindOf: Record<RuleKey, Kind> = {
  pools: "pools",
  "auctions.minimumBid": "text",
  "auctions.increment": "text",
  "auctions.durationSeconds": "number",
  "auctions.antiSnipe.windowSeconds": "number",
  "auctions.antiSnipe.extensionSeconds": "number",
  "auctions.antiSnipe.maxExtensions": "number",
  "roles.officers": "roles",
  "channels.auctions": "channel",
  "channels.results": "channel",
  locale: "text",
  timeZone: "text",
};

/** How a value is written in Discord. What it may be is the ledger's to judge. */
const kinds: Record<Kind, { value(text: string): Json | undefined; expected: string }> = {
  pools: {
    value: poolList,
    expected: "list the pools as name:decimals:start points, such as `dkp:0, raid:2:100`",
  },
  text: { value: (text) => text, expected: "write something" },
  roles: {
    value(text) {
      const rest = text.replaceAll(/<@&\d{17,20}>/g, "").replaceAll(/[\s,;]+/g, "");
      return rest === "" ? (text.match(/(?<=<@&)\d{17,20}/g) ?? undefined) : undefined;
    },
    expected: "mention the roles",
  },
  channel: { value: (text) => /^<#(\d{17,20})>$/.exec(text)?.[1], expected: "mention one channel" },
  number: {
    value: (text) => (/^\d{1,9}$/.test(text) ? Number(text) : undefined),
    expected: "write a whole number",
  },
};

/** "dkp:0, raid:2:100": name, decimals, start points. */
function poolList(text: string): Json | undefined {
  const pools = text.split(",").map((part) => {
    const [name = "", decimals = "0", startPoints = "0", ...rest] = part.trim().split(":");
    const fits = rest.length === 0 && name !== "" && /^[0-2]$/.test(decimals);
    return fits ? { name, decimals: Number(decimals), startPoints } : undefined;
  });
  return pools.every((pool) => pool !== undefined) ? pools : undefined;
}
