import type { Command, ConfiguredRestore, Newcomer } from "../ledger/command.ts";
import { encode } from "../ledger/codec.ts";
import { decide } from "../ledger/decide.ts";
import type { Accepted, Decision } from "../ledger/decision.ts";
import type { Actor, AuctionId, LedgerEvent, MemberId, StoredEvent } from "../ledger/event.ts";
import { chainHash, commitment } from "../ledger/hash.ts";
import type { Refusal } from "../ledger/refusal.ts";
import { forkState } from "../ledger/state.ts";
import type { State } from "../ledger/state.ts";
import type { OutgoingCall } from "./call.ts";
import { freshSalt, storable } from "./free-text.ts";
import { take } from "./memory.ts";
import type { Memory } from "./memory.ts";
import type { DiscordAccount, Making, Request, View } from "./request.ts";
import { closing, noRows, project, projectState } from "./rows.ts";
import type { Rows } from "./rows.ts";

/** A batch being decided on a fork of the replica's memory; nothing of it is true before it is appended. */
export type Batch = {
  readonly memory: Memory;
  readonly state: State;
  readonly guild: string;
  /** What the batch adds to the memory. */
  readonly learned: { readonly accounts: Map<string, MemberId>; readonly items: Map<AuctionId, string> };
  readonly events: StoredEvent[];
  readonly rows: Rows;
};

export type Decided = { readonly decision: Decision; readonly calls: readonly OutgoingCall[] };
/** An undo whose target has to be read from the ledger first. */
export type Missing = { readonly missing: number };

export function newBatch(memory: Memory, guild: string): Batch {
  return {
    memory,
    state: forkState(memory.state),
    guild,
    learned: { accounts: new Map(), items: new Map() },
    events: [],
    rows: noRows(),
  };
}

type Acquaintance = Newcomer & { readonly account: DiscordAccount; readonly salt: string };

/** Decides one request after those before it in the batch. `targets` are events read for undo, by seq; `restore` is what the configuration says. */
export function decideNext(
  batch: Batch,
  request: Request,
  targets: ReadonlyMap<number, LedgerEvent | undefined>,
  restore?: ConfiguredRestore,
): Decided | Missing {
  const newcomers: Acquaintance[] = [];
  const making: Making = { state: batch.state, member: (account) => memberOf(batch, newcomers, account) };
  const command = make(request, making);
  const actor = typeof request.actor === "string" ? request.actor : making.member(request.actor);
  if (!("type" in command)) {
    return rendered(batch, request, command);
  }
  const target = targetOf(batch, command, targets);
  if (typeof target === "number") {
    return { missing: target };
  }
  const decision = decide(batch.state, command, {
    atMs: request.atMs,
    actor,
    newcomers: newcomers.map(({ member, identity }) => ({
      member,
      ...(identity === undefined ? {} : { identity }),
    })),
    ...(target === undefined ? {} : { target }),
    ...(restore === undefined ? {} : { restore }),
  });
  if ("events" in decision && decision.events.length > 0) {
    disclose(batch, decision, newcomers);
    record(batch, request, actor, decision.events);
  }
  return rendered(batch, request, decision);
}

function make({ command }: Request, making: Making): Command | { refusal: Refusal } {
  return typeof command === "function" ? command(making) : command;
}

function memberOf(batch: Batch, newcomers: Acquaintance[], account: DiscordAccount): MemberId {
  const { discordId } = account;
  const known =
    batch.memory.members.get(discordId) ??
    batch.learned.accounts.get(discordId) ??
    newcomers.find((newcomer) => newcomer.account.discordId === discordId)?.member;
  if (known !== undefined) {
    return known;
  }
  const member: MemberId = `m${batch.state.memberCount + newcomers.length + 1}`;
  const salt = freshSalt();
  newcomers.push({ member, account, salt, identity: commitment(salt, discordId) });
  return member;
}

/** The event an undo names, undefined when there is none, or its seq when it has to be read. */
function targetOf(
  batch: Batch,
  command: Command,
  targets: ReadonlyMap<number, LedgerEvent | undefined>,
): LedgerEvent | number | undefined {
  if (command.type !== "undo" || !(command.entry >= 1 && command.entry <= batch.state.version)) {
    return undefined;
  }
  const index = command.entry - batch.memory.state.version - 1;
  return index >= 0
    ? batch.events[index]
    : targets.has(command.entry)
      ? targets.get(command.entry)
      : command.entry;
}

function disclose(batch: Batch, { events, disclosures }: Accepted, newcomers: readonly Acquaintance[]): void {
  const first = batch.state.version + 1;
  newcomers.forEach(({ account, member, salt }, index) => {
    batch.learned.accounts.set(account.discordId, member);
    const name = account.name === undefined ? null : storable(account.name);
    // Registrations are the decision's first events, in this order.
    batch.rows.identities.push({ discord_id: account.discordId, member, salt, name, seq: first + index });
  });
  for (const { event, field, text } of disclosures) {
    batch.rows.texts.push({ seq: first + event, field, salt: text.salt, text: text.text });
    const disclosed = events[event];
    if (disclosed?.type === "AuctionStarted") {
      batch.learned.items.set(disclosed.data.auction, text.text);
    }
  }
}

/** Puts events behind the batch's last one: in the chain, in the state, in the projections. */
export function record(
  batch: Batch,
  request: Pick<Request, "atMs" | "interaction" | "term">,
  actor: Actor,
  events: readonly LedgerEvent[],
): void {
  const { state, rows } = batch;
  events.forEach((event, ordinal) => {
    const stored: StoredEvent = {
      ...event,
      seq: state.version + 1,
      atMs: request.atMs,
      guild: batch.guild,
      actor,
      ...(request.interaction === undefined ? {} : { interaction: request.interaction.id }),
      ...(request.term === undefined ? {} : { term: request.term.toString() }),
      rules: state.rules.version,
    };
    const body = encode(stored);
    const hash = chainHash(state.headHash, body);
    const auction = closing(state, event);
    take(state, stored, hash);
    batch.events.push(stored);
    rows.events.push({
      seq: stored.seq,
      guild_id: batch.guild,
      type: event.type,
      version: event.version,
      at: request.atMs,
      interaction_id: request.interaction?.id ?? null,
      ordinal,
      body,
      hash,
    });
    project(rows, state, event, stored, auction);
  });
}

/** The projections of everything the batch changed; call once, after the last decision. */
export function finishRows(batch: Batch): Rows {
  projectState(batch.rows, batch.state);
  return batch.rows;
}

function rendered(batch: Batch, request: Request, decision: Decision): Decided {
  return { decision, calls: request.render?.(decision, viewOf(batch, request.atMs)) ?? [] };
}

/** What answers are rendered from. */
export function viewOf(batch: Batch, atMs: number): View {
  const { memory, learned, state } = batch;
  return {
    state,
    atMs,
    discordId(member) {
      const fresh = [...learned.accounts].find(([, learnedMember]) => learnedMember === member);
      return memory.accounts.get(member) ?? fresh?.[0];
    },
    item: (auction) => learned.items.get(auction) ?? memory.items.get(auction),
  };
}
