/** Characters that Discord reads as formatting, mentions, links, time stamps, headings, lists or spoilers. */
const markdown = /[\\*_~`|>#<@:[\]()\-+.!]/g;

/**
 * Characters that show nothing or change the direction of what follows: controls, zero-width and bidirectional marks,
 * invisible operators, tags, variation selectors in bulk. A name made of them could pose as another's.
 */
const invisible =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202f\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff]|[\u{e0000}-\u{e0fff}]/gu;

/** One line of free text without invisible characters, at most `limit` characters long, never cut inside a character. */
export function plain(text: string, limit: number): string {
  const line = text.replaceAll(invisible, "").replaceAll(/\s+/g, " ").trim();
  const characters = [...line];
  return characters.length <= limit ? line : `${characters.slice(0, limit - 1).join("")}…`;
}

/** Somebody's text as Discord shows it literally: no formatting, no mention, no link, one line. */
export function literal(text: string, limit = 80): string {
  const shown = plain(text, limit);
  return shown === "" ? "(no name)" : shown.replaceAll(markdown, String.raw`\$&`);
}

/** Somebody's text inside a code block, where only backticks mean something. */
export function preformatted(text: string, limit: number): string {
  const shown = plain(text, limit).replaceAll("`", "'");
  return shown === "" ? "(no name)" : shown;
}

/** A member as Discord draws one; it pings nobody, for every message of ours is sent without allowed mentions. */
export function mention(userId: string): string {
  return `<@${userId}>`;
}

/** A moment as every reader sees it in their own time zone. */
export function moment(atMs: number, style: "R" | "f" | "t" = "R"): string {
  return `<t:${Math.floor(atMs / 1000)}:${style}>`;
}

/** How long something takes, in the two largest units: "2 h 5 min", "45 s". */
export function duration(totalSeconds: number): string {
  const units: [string, number][] = [
    ["d", 86_400],
    ["h", 3600],
    ["min", 60],
    ["s", 1],
  ];
  const parts: string[] = [];
  let rest = Math.max(0, Math.round(totalSeconds));
  for (const [unit, size] of units) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) {
      parts.push(`${count} ${unit}`);
    }
  }
  return parts.length === 0 ? "0 s" : parts.slice(0, 2).join(" ");
}

/** "a, b and c", with at most `limit` of them spelled out. */
export function enumerated(items: string[], limit = 10): string {
  const shown = items.length > limit ? [...items.slice(0, limit), `${items.length - limit} more`] : items;
  const last = shown.at(-1) ?? "";
  return shown.length < 2 ? last : `${shown.slice(0, -1).join(", ")} and ${last}`;
}
