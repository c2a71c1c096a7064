import type { ErrorTree } from "./schema.ts";

/** What a request is answered with. */
export type Answer = { status: number; body?: unknown; headers?: Record<string, string> };

export type Refusal = Error & { answer: Answer };

/** Ends a request with one of Discord's errors. */
export function refuse(status: number, code: number, message: string, errors?: ErrorTree): never {
  const answer: Answer = { status, body: { message, code, ...(errors === undefined ? {} : { errors }) } };
  throw Object.assign(new Error(message), { answer });
}

export function isRefusal(thrown: unknown): thrown is Refusal {
  return thrown instanceof Error && "answer" in thrown;
}

/** Ends a request whose body breaks the rules. */
export function invalidForm(errors: ErrorTree): never {
  return refuse(400, 50035, "Invalid Form Body", errors);
}

/** Refusals by Discord's name for them. */
export const unknown = {
  channel: () => refuse(404, 10003, "Unknown Channel"),
  guild: () => refuse(404, 10004, "Unknown Guild"),
  member: () => refuse(404, 10007, "Unknown Member"),
  message: () => refuse(404, 10008, "Unknown Message"),
  role: () => refuse(404, 10011, "Unknown Role"),
  user: () => refuse(404, 10013, "Unknown User"),
  webhook: () => refuse(404, 10015, "Unknown Webhook"),
  interaction: () => refuse(404, 10062, "Unknown interaction"),
  command: () => refuse(404, 10063, "Unknown application command"),
};
export const missingAccess = () => refuse(403, 50001, "Missing Access");
export const missingPermissions = () => refuse(403, 50013, "Missing Permissions");
