import type { IncomingMessage } from "node:http";
import type { Upload } from "./messages.ts";
import { refuse } from "./refusal.ts";

const maxBodyBytes = 26_214_400;

/** Reads a body as JSON, or as a form of `payload_json` and files; null when there is none. */
export async function readBody(request: IncomingMessage): Promise<{ body: unknown; uploads: Upload[] }> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBodyBytes) return refuse(413, 40005, "Request entity too large");
    chunks.push(chunk);
  }
  const bytes = Buffer.concat(chunks);
  if (bytes.length === 0) return { body: null, uploads: [] };
  const type = request.headers["content-type"] ?? "";
  if (type.startsWith("multipart/form-data")) return readForm(bytes, type);
  if (!type.startsWith("application/json")) {
    return refuse(400, 50035, `Expected "Content-Type" header to be one of application/json, not ${type}`);
  }
  return { body: parsed(bytes.toString("utf8")), uploads: [] };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return refuse(400, 50109, "The request body contains invalid JSON.");
  }
}

async function readForm(bytes: Buffer, type: string): Promise<{ body: unknown; uploads: Upload[] }> {
  const form = await new Response(new Uint8Array(bytes), { headers: { "content-type": type } }).formData();
  const uploads: Upload[] = [];
  for (const [, value] of form) {
    if (typeof value === "string") continue;
    uploads.push({
      filename: value.name,
      type: value.type,
      bytes: new Uint8Array(await value.arrayBuffer()),
    });
  }
  const json = form.get("payload_json");
  return { body: typeof json === "string" ? parsed(json) : {}, uploads };
}
