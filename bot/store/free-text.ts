import { randomBytes } from "node:crypto";
import type { FreeText } from "../ledger/command.ts";
import { saltedText } from "../ledger/hash.ts";

/** A text that a person typed, ready for a command; made once per request, outside the function that makes it. */
export function freeText(text: string): FreeText {
  return saltedText(storable(text), freshSalt());
}

/** The text as PostgreSQL can keep it: without NUL and without halves of surrogate pairs. */
export function storable(text: string): string {
  return text.replaceAll("\0", "").toWellFormed();
}

/** 128 random bits in hex. */
export function freshSalt(): string {
  return randomBytes(16).toString("hex");
}
