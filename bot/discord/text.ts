/** Characters that Discord reads as formatting, mentions, links, time stamps, headings, lists or spoilers. */
const markdown = /[\\*_~`|>#<@:[\]()\-+.!]/g;

/**
 * Characters that show nothing or change the direction of what follows (controls, zero-width and bidirectional marks,
 * fillers, tags, variation selectors): a name made of them could pose as another's.
 */
const invisible = /\p{Default_Ignorable_Code_Point}|\p{Cc}|\p{Cf}|\p{Zl}|\p{Zp}|\p{Co}|\p{Cs}/gu;

/** What people see as one character, however many code points it takes. */
const characters = new Intl.Segmenter("en", { granularity: "grapheme" });

/** One line of free text without invisible characters, at most `limit` characters long, never cut inside a character. */
export function plain(text: string, limit: number): string {
  // A name may pile hundreds of accents upon one letter; nobody needs more than a few.
  const line = text
    .replaceAll(/\s+/g, " ")
    .replaceAll(invisible, "")
    .replaceAll(/(\p{M}{3})\p{M}+/gu, "$1")
    .trim();
  if (line.length <= limit) {
    return line;
  }
  let cut = "";
  for (const { segment } of characters.segment(line)) {
    if (cut.length + segment.length > limit - 1) {
      break;
    }
    cut += segment;
  }
  return `${cut}…`;
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
