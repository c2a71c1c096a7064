import * as z from "zod";

/** `metadata` of a resource of ours, as the API server hands it out. */
export type ResourceMetadata = {
  name: string;
  namespace: string;
  uid: string;
  resourceVersion: string;
  generation: number;
  creationTimestamp: string;
  deletionTimestamp?: string;
  finalizers?: string[];
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
};

export type CelRule = { rule: string; message: string; fieldPath?: string };

/**
 * Metadata of a schema that carries CEL rules into the CRD. Each message is the sentence a person reads when the API server
 * refuses, so it says what to write instead.
 */
export function checked(description: string, ...rules: CelRule[]): Record<string, unknown> {
  return { description, "x-kubernetes-validations": rules };
}

const snowflakeSentence =
  'must be a Discord id: 17 to 20 digits in quotes, for example "123456789012345678" (Discord: Settings > Advanced > Developer Mode, then right-click > Copy ID)';

/** A Discord id as a string of 17 to 20 digits: as a number it would lose its last digits. */
export function snowflake(description: string) {
  return z
    .string()
    .max(20)
    .regex(/^[0-9]{17,20}$/, snowflakeSentence)
    .meta(checked(description, { rule: "self.matches('^[0-9]{17,20}$')", message: snowflakeSentence }));
}

// Kept short: the API server takes such a string for three megabytes long when it estimates what a rule costs.
const amountPattern = String.raw`^\d+(\.\d\d?)?$`;
/** `amountPattern` within a CEL string. */
const amountText = amountPattern.replaceAll("\\", "\\\\");
const amountLength = 15;
const amountSentence =
  'must be a whole number such as 10, or a decimal in quotes with at most two decimals such as "12.50", from 0 to 999999999999.99';

/** An amount of points as people write it: a whole number, or a decimal string with at most two decimals. Never negative. */
export function amount(description: string) {
  return z
    .union([
      z.int().min(0, amountSentence).max(999_999_999_999, amountSentence),
      z.string().max(amountLength).regex(new RegExp(amountPattern), amountSentence),
    ])
    .meta({
      ...checked(description, {
        rule: `type(self) == int ? self >= 0 && self <= 999999999999 : self.matches('${amountText}')`,
        message: amountSentence,
      }),
      "x-kubernetes-int-or-string": true,
      maxLength: amountLength,
    });
}

/** Like `amount`, but zero is refused too. */
export function positiveAmount(description: string) {
  const sentence = `${amountSentence}, and more than 0`;
  return z
    .union([
      z.int().min(1, sentence).max(999_999_999_999, sentence),
      z
        .string()
        .max(amountLength)
        .regex(new RegExp(amountPattern), sentence)
        .refine((text) => Number(text) > 0, sentence),
    ])
    .meta({
      ...checked(description, {
        rule: `type(self) == int ? self > 0 && self <= 999999999999 : self.matches('${amountText}') && self.matches('[1-9]')`,
        message: sentence,
      }),
      "x-kubernetes-int-or-string": true,
      maxLength: amountLength,
    });
}

/** One key of a Secret. `ofName` describes the Secret's name. */
export function secretKey(defaultKey: string, ofName: string) {
  return z.strictObject({
    name: z.string().min(1).max(253).meta({ description: ofName }),
    key: z.string().min(1).max(253).default(defaultKey).meta({ description: "Key within the Secret." }),
  });
}

/** A reference to one key of a Secret in the guild's own namespace. */
export function secretKeyRef(description: string, defaultKey: string) {
  return secretKey(defaultKey, "Name of the Secret, in the guild's own namespace.").meta({ description });
}
