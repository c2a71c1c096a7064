import { randomBytes } from "node:crypto";
import type { Logger } from "../../runtime/log.ts";
import type { Telemetry } from "../../runtime/telemetry.ts";
import type { Decision } from "../ledger/decision.ts";
import { restoreRefusal } from "../ledger/decide-restore.ts";
import type { MemberId } from "../ledger/event.ts";
import type { Refusal } from "../ledger/refusal.ts";
import type { OutboxRow, OutgoingCall } from "../store/call.ts";
import { ClaimLost } from "../store/failure.ts";
import { finish } from "../store/inbox.ts";
import type { DiscordAccount, Making, View } from "../store/request.ts";
import { buttonCommand, slashCommand } from "./catalog.ts";
import { denied, type Change, type Doing, type Surroundings } from "./command.ts";
import type { Delivery } from "./delivery.ts";
import type { ButtonInvocation, CommandInvocation } from "./interaction.ts";
import { account } from "./members.ts";
import { message, visibilityFlags, type MessageBody } from "./message.ts";
import type { BotMetrics, CommandResult } from "./metrics.ts";
import { replyCall } from "./outgoing.ts";
import { isOfficer, notAnOfficer } from "./permissions.ts";
import { persistently } from "./persistently.ts";
import { refusalText } from "./refusal-text.ts";
import type { Responder } from "./responder.ts";

type Claimed = { id: string; epoch: number };

/** Carries a claimed command out and answers it; never throws. When the claim was `lost` on the way, nothing was said. */
export type Handle = (invocation: Taken, claim: Claimed, responder: Responder) => Promise<CommandResult>;

export type HandleOptions = {
  surroundings: Surroundings;
  delivery: Delivery;
  metrics: BotMetrics;
  telemetry: Telemetry;
  log: Logger;
};

type Taken = CommandInvocation | ButtonInvocation;

/** The way of a command once its claim is won: permission, deed, answer. */
export function handler(options: HandleOptions): Handle {
  const { surroundings, log, metrics } = options;
  return async (invocation, claim, responder) => {
    const startedAtMs = surroundings.now();
    const name = commandName(invocation);
    const facts = { command: name, interaction: invocation.id };
    const result = await options.telemetry
      .span(`command ${name}`, { "dkp.interaction": invocation.id }, () =>
        carryOut(options, invocation, claim, responder),
      )
      .catch(async (error: unknown): Promise<CommandResult> => {
        if (error instanceof ClaimLost) {
          log.info(facts, "the claim is another replica's by now, or was lost with the database");
          return "lost";
        }
        const reference = randomBytes(4).toString("hex");
        log.error({ ...facts, err: error, reference }, "command failed");
        const sorry = `Something went wrong here (reference \`${reference}\`): check \`/dkp history\` before you try again.`;
        return show(options, invocation, message(sorry), claim, responder).then(
          () => "failed" as const,
          (failure: unknown) => {
            log.warn({ ...facts, err: failure }, "the failure could not be recorded");
            return failure instanceof ClaimLost ? "lost" : "failed";
          },
        );
      });
    const elapsedMs = surroundings.now() - startedAtMs;
    metrics.command(name, result, elapsedMs / 1000);
    log.info({ ...facts, result, elapsedMs }, "command");
    return result;
  };
}

async function carryOut(
  options: HandleOptions,
  invocation: Taken,
  claim: Claimed,
  responder: Responder,
): Promise<CommandResult> {
  const doing = await persistently(() => whatToDo(invocation, options.surroundings), invocation, options);
  if (doing.kind === "change") {
    const once = () => change(options, invocation, doing.change, claim, responder);
    return persistently(once, invocation, options);
  }
  const body =
    doing.kind === "answer"
      ? await persistently(() => doing.answer(), invocation, options)
      : message(doing.sentence);
  await show(options, invocation, body, claim, responder);
  return doing.kind === "answer" ? "ok" : "denied";
}

async function change(
  { surroundings, delivery }: HandleOptions,
  invocation: Taken,
  deed: Change,
  claim: Claimed,
  responder: Responder,
): Promise<CommandResult> {
  // A refused newcomer never gets into the ledger, so only the command knows whom its member id stands for.
  const named = new Map<MemberId, string>();
  const member = (making: Making) => (someone: DiscordAccount) => {
    const id = making.member(someone);
    named.set(id, someone.discordId);
    return id;
  };
  const executed = await surroundings.ledger.execute({
    command: (making) => deed.command({ ...making, member: member(making) }),
    interaction: claim,
    atMs: surroundings.now(),
    actor: account(invocation.actor),
    render: (decision, view) =>
      rendered(invocation, deed, decision, {
        ...view,
        discordId: (id) => view.discordId(id) ?? named.get(id),
      }),
  });
  void delivery.send(executed.outgoing.filter((row) => !isReply(row)));
  await delivery.send(executed.outgoing.filter(isReply), { interactionId: invocation.id, responder });
  return "refusal" in executed.decision ? "refused" : "ok";
}

function isReply({ call }: OutboxRow): boolean {
  return call.kind === "reply";
}

/** An answer that changes nothing may be given twice, so it is shown first and the claim finished afterwards. */
async function show(
  options: HandleOptions,
  invocation: Taken,
  body: MessageBody,
  claim: Claimed,
  responder: Responder,
): Promise<void> {
  const { surroundings, delivery, log } = options;
  const call = replyCall(invocation, body, ephemeral(invocation));
  const shown = await responder.answer(call.body).catch((error: unknown) => {
    log.warn({ err: error, interaction: invocation.id }, "answer not delivered, leaving it to the outbox");
    return undefined;
  });
  const finished = (calls: OutgoingCall[]) =>
    persistently(() => finish(surroundings.database, claim, calls), invocation, options);
  if (shown !== undefined) {
    // What was shown stays, whatever becomes of the claim: at worst it is shown again.
    await finished([]).catch((error: unknown) =>
      log.warn({ err: error, interaction: invocation.id }, "answered, but the claim could not be finished"),
    );
    return;
  }
  const rows = await finished([call]);
  if (rows.length === 0) {
    throw new ClaimLost("the answer could not be left to the outbox");
  }
  void delivery.send(rows);
}

/** The name under which a command is counted. */
export function commandName(invocation: Taken): string {
  return invocation.kind === "command" ? invocation.path : `button ${invocation.action}`;
}

/** Whether only the member sees the answer; undefined for a button, which edits a message that exists. */
function ephemeral(invocation: Taken): boolean | undefined {
  return invocation.kind === "command"
    ? (slashCommand(invocation.path)?.ephemeral(invocation) ?? true)
    : undefined;
}

/** The flags of the first answer. */
export function answerFlags(invocation: Taken): number {
  return visibilityFlags(ephemeral(invocation) ?? false);
}

async function whatToDo(invocation: Taken, surroundings: Surroundings): Promise<Doing> {
  const command =
    invocation.kind === "command" ? slashCommand(invocation.path) : buttonCommand(invocation.action);
  if (command === undefined) {
    return denied("This command is not known here (any more): reload Discord and try again.");
  }
  const { rules } = surroundings.ledger.state();
  const officer = isOfficer(invocation.actor, rules.roles.officers);
  if (command.audience === "officers" && !officer) {
    return denied(notAnOfficer(rules.roles.officers));
  }
  const doing = await (invocation.kind === "command"
    ? slashCommand(invocation.path)?.execute(invocation, surroundings)
    : buttonCommand(invocation.action)?.execute(invocation, surroundings));
  const silence = doing?.kind === "answer" && command.inMaintenance !== true;
  const refusal = silence ? lookingRefusal(surroundings, officer) : undefined;
  return refusal === undefined
    ? (doing ?? denied("This command is not known here."))
    : denied(refusalText(refusal, { rules, discordId: () => undefined, item: () => undefined }));
}

/** Why nothing may even be looked at; changes are the ledger's to refuse. Officers look before they confirm a restore. */
function lookingRefusal({ ledger, restore }: Surroundings, officer: boolean): Refusal | undefined {
  const { mode } = ledger.state();
  const restored = restoreRefusal(ledger.state(), restore());
  if (restored !== undefined) {
    return officer ? undefined : restored;
  }
  const message = mode.message === undefined ? {} : { message: mode.message };
  return mode.mode === "maintenance" ? { code: "MAINTENANCE", ...message } : undefined;
}

function rendered(invocation: Taken, deed: Change, decision: Decision, view: View): readonly OutgoingCall[] {
  if ("refusal" in decision) {
    const { refusal } = decision;
    const body =
      deed.refused?.(refusal, view) ??
      message(
        refusalText(refusal, {
          rules: view.state.rules,
          actor: invocation.actor.userId,
          discordId: (member) => view.discordId(member),
          item: (auction) => view.item(auction),
        }),
      );
    return [replyCall(invocation, body, ephemeral(invocation))];
  }
  const { reply, announcements = [] } = deed.shown(decision.outcome, view);
  return [replyCall(invocation, reply, ephemeral(invocation)), ...announcements];
}
