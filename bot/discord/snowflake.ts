/** The first millisecond that a Discord snowflake can carry: 2015-01-01T00:00:00Z. */
const discordEpochMs = 1_420_070_400_000n;

/** True for a Discord id as it may appear in an address or a mention: 17 to 20 digits. */
export function isSnowflake(text: string): boolean {
  return /^\d{17,20}$/.test(text);
}

/** When Discord made this id, in milliseconds since 1970. What a bid's time is judged by. */
export function snowflakeTimeMs(snowflake: string): number {
  return Number((BigInt(snowflake) >> 22n) + discordEpochMs);
}

/** The smallest snowflake of a moment: a nonce or a bound for comparisons. */
export function snowflakeAt(atMs: number): string {
  return String((BigInt(atMs) - discordEpochMs) << 22n);
}
