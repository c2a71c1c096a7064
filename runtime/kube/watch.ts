import { StringDecoder } from "node:string_decoder";
import type { WatchEvent } from "./client.ts";
import { KubeError, noAnswer, refusal } from "./error.ts";
import type { KubeObject } from "./object.ts";

/** The lines of a stream. A last line without its end was cut off and is not given out. */
async function* lines(body: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new StringDecoder("utf8");
  let rest = "";
  for await (const piece of body) {
    const text = decoder.write(piece);
    let start = 0;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", start)) {
      yield rest + text.slice(start, end);
      rest = "";
      start = end + 1;
    }
    rest += text.slice(start);
  }
}

type RawEvent = { type: string; object: KubeObject };

const deletion = '{"type":"DELETED"';
const versionField = '"resourceVersion":"';

/** The version of the object in an event that is not read yet; undefined where an object goes, which a write does too that takes its label away. */
function versionIn(line: string): string | undefined {
  if (line.startsWith(deletion)) return undefined;
  // Metadata come before whatever else may hold such a field, and quotation marks within texts are escaped.
  const at = line.indexOf(versionField);
  const start = at + versionField.length;
  return at < 0 ? undefined : line.slice(start, line.indexOf('"', start));
}

/**
 * The events in a watch's body. Throws KubeError on an ERROR event and when the stream breaks. Most events of a writer echo its own writes:
 * what `isHeld` knows is given out as a bookmark, which saves reading it.
 */
export async function* watchEvents<T extends KubeObject>(
  call: string,
  body: AsyncIterable<Buffer>,
  isHeld?: (resourceVersion: string) => boolean,
): AsyncGenerator<WatchEvent<T>> {
  try {
    for await (const line of lines(body)) {
      const version = isHeld === undefined ? undefined : versionIn(line);
      if (version !== undefined && isHeld?.(version) === true) {
        yield { type: "BOOKMARK", resourceVersion: version };
        continue;
      }
      const event = JSON.parse(line) as RawEvent;
      if (event.type === "ERROR") throw watchRefusal(call, event.object);
      yield event.type === "BOOKMARK"
        ? { type: "BOOKMARK", resourceVersion: event.object.metadata.resourceVersion ?? "" }
        : { type: event.type as "ADDED" | "MODIFIED" | "DELETED", object: event.object as T };
    }
  } catch (error) {
    throw error instanceof KubeError ? error : noAnswer(call, error);
  }
}

function watchRefusal(call: string, status: KubeObject): KubeError {
  const code = typeof status["code"] === "number" ? status["code"] : 500;
  return refusal(call, { status: code, text: JSON.stringify(status) });
}
