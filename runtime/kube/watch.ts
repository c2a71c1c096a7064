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

/** The events in a watch's body. Throws KubeError on an ERROR event and when the stream breaks. */
export async function* watchEvents<T extends KubeObject>(
  call: string,
  body: AsyncIterable<Buffer>,
): AsyncGenerator<WatchEvent<T>> {
  try {
    for await (const line of lines(body)) {
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
