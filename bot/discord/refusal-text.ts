import type { AuctionId, MemberId } from "../ledger/event.ts";
import type { Refusal } from "../ledger/refusal.ts";
import type { Rules } from "../ledger/rules.ts";
import { amountText, pointsText } from "./points.ts";
import { duration, enumerated, literal, mention, moment } from "./text.ts";

/** What a sentence about a refusal needs to know besides the refusal. */
export type RefusalView = {
  rules: Rules;
  /** The member who gave the command: spoken to as "you". */
  actor?: string | undefined;
  discordId(member: MemberId): string | undefined;
  item(auction: AuctionId): string | undefined;
};

/** One sentence that says why not, and what to do instead. */
export function refusalText(refusal: Refusal, view: RefusalView): string {
  switch (refusal.code) {
    case "AMOUNT_MALFORMED":
      return `“${literal(refusal.text, 40)}” is not an amount: write a number such as 10 or 12.50.`;
    case "AMOUNT_TOO_PRECISE":
      return refusal.decimals === 0
        ? `“${literal(refusal.text, 40)}” has decimals, but this pool counts whole points: write a whole number.`
        : `“${literal(refusal.text, 40)}” has too many decimals: this pool takes at most ${refusal.decimals}.`;
    case "AMOUNT_NOT_POSITIVE":
      return "The amount must be more than 0; to take points away use `/dkp deduct`.";
    case "AMOUNT_OUT_OF_RANGE":
      return `That is too large: the most that fits is ${amountText(refusal.maximum, 0)}.`;
    case "UNKNOWN_POOL":
      return `There is no pool “${literal(refusal.pool, 40)}”: choose ${enumerated(refusal.pools.map((pool) => literal(pool)))}.`;
    case "NO_MEMBERS":
      return "Nobody was named: choose a `member`, or mention several in `members`.";
    case "UNKNOWN_MEMBER":
      return `${who(refusal.member, view)} is not in the ledger: check who you named, or award them points first.`;
    case "REPEATED_AWARD":
      return `The same award was given ${moment(refusal.atMs)} (entry #${refusal.entry}): confirm if it should be given again.`;
    case "INSUFFICIENT_POINTS":
      return insufficient(refusal, view);
    case "RULES_OWNED_BY_GIT":
      return `${enumerated(refusal.keys.map((key) => `\`${key}\``))} is set in Git: change it in the guild's DkpGuild, not here.`;
    case "RULE_INVALID":
      return `\`${refusal.key}\` cannot be that: ${refusal.problem}.`;
    case "POOL_IN_USE":
      return `The pool ${literal(refusal.pool)} has balances or open auctions and cannot be removed: settle them first.`;
    case "READ_ONLY":
      return "The bot is read-only right now: looking things up works, changes have to wait until an officer ends it.";
    case "RESTORED":
      return `The points were restored from a backup, ${restoredTo(refusal.target)}. Nothing can be changed until an officer has looked at them and confirms with \`/dkp-admin confirm-restore\`.`;
    case "RESTORE_NOT_NOTED":
      return "The restore is being noted in the ledger right now: try again in a few seconds.";
    case "NOTHING_RESTORED":
      return "There is no restore to confirm: everything works as usual.";
    case "MAINTENANCE":
      return `The bot is in maintenance${refusal.message === undefined ? "" : `: ${literal(refusal.message, 400)}`}. Please try again later.`;
    case "UNKNOWN_ENTRY":
      return `There is no entry #${refusal.entry}: \`/dkp history\` shows the numbers.`;
    case "NOT_UNDOABLE":
      return `Entry #${refusal.entry} cannot be undone: only awards, deductions, sales and undos can.`;
    case "ALREADY_UNDONE":
      return `Entry #${refusal.entry} was undone already, by entry #${refusal.by}.`;
    case "UNKNOWN_AUCTION":
      return `There is no auction “${literal(refusal.auction, 40)}”: \`/auction list\` shows the open ones.`;
    case "AUCTION_CLOSED":
      return `The auction of ${what(refusal.auction, view)} is closed: \`/auction list\` shows the open ones.`;
    case "AUCTION_ENDED":
      return `The auction of ${what(refusal.auction, view)} ended ${moment(refusal.endsAtMs)}, before your bid: \`/auction list\` shows the open ones.`;
    case "AUCTION_NOT_DUE":
      return `The auction of ${what(refusal.auction, view)} cannot be settled yet: it is due ${moment(refusal.dueAtMs)}.`;
    case "DURATION_OUT_OF_RANGE":
      return `An auction runs from ${duration(refusal.minimumMs / 1000)} to ${duration(refusal.maximumMs / 1000)}: choose a duration in between.`;
    case "BID_TOO_LOW":
      return `Your bid on ${what(refusal.auction, view)} is too low: bid at least ${pointsText(view.rules, refusal.pool, refusal.minimum)}.`;
    default:
      throw new TypeError(`Unknown refusal ${JSON.stringify(refusal satisfies never)}`);
  }
}

/** The point in time that a restore went back to (RFC 3339), as a part of a sentence. */
export function restoredTo(target: string | undefined): string {
  if (target === undefined) {
    return "to the newest state that it holds";
  }
  const atMs = Date.parse(target);
  return `to how they were ${Number.isNaN(atMs) ? `at ${literal(target, 40)}` : moment(atMs)}`;
}

function insufficient(refusal: Extract<Refusal, { code: "INSUFFICIENT_POINTS" }>, view: RefusalView): string {
  const { rules } = view;
  const { pool } = refusal;
  const amount = (hundredths: bigint) => pointsText(rules, pool, hundredths);
  const self = view.actor !== undefined && view.discordId(refusal.member) === view.actor;
  const has = self ? "you have" : `${who(refusal.member, view)} has`;
  const held =
    refusal.held > 0n
      ? ` (balance ${amount(refusal.balance)}, ${amount(refusal.held)} held by leading bids)`
      : "";
  return `That needs ${amount(refusal.needed)}, but ${has} ${amount(refusal.available)} available${held}: choose a smaller amount.`;
}

/** A member as a mention, or by internal id when no Discord account is known (any more). */
export function who(member: MemberId, view: Pick<RefusalView, "discordId">): string {
  const discordId = view.discordId(member);
  return discordId === undefined ? `member ${member}` : mention(discordId);
}

/** An auction by its item, or by id once the item's name was erased. */
export function what(auction: AuctionId, view: Pick<RefusalView, "item">): string {
  const item = view.item(auction);
  return item === undefined ? literal(auction, 40) : `**${literal(item)}**`;
}
