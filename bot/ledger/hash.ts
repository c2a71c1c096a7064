import { createHash } from "node:crypto";
import type { FreeText } from "./command.ts";
import type { Commitment } from "./event.ts";

/** The hash before the first event, in hex. */
export const GENESIS = "0".repeat(64);

/** The hash of an event: SHA-256 over the 32 bytes of the hash before it and the UTF-8 of its stored text. */
export function chainHash(previous: string, text: string): string {
  return createHash("sha256").update(previous, "hex").update(text, "utf8").digest("hex");
}

/** Commits to a text without telling it: SHA-256 over a random salt (hex) and the text; both are needed to check it. */
export function commitment(salt: string, text: string): Commitment {
  return createHash("sha256").update(salt, "hex").update(text, "utf8").digest("hex");
}

/** A text with its commitment. `salt` is 32 random hex digits, fresh for every text. */
export function saltedText(text: string, salt: string): FreeText {
  return { text, salt, commitment: commitment(salt, text) };
}
