import { constants, createDeflate, deflateSync } from "node:zlib";

/** How a connection's payloads go out: as text, each deflated on its own, or as one zlib stream. */
export type Packer = { binary: boolean; bytes(text: string): string | Buffer };

type SyncDeflate = { _processChunk(chunk: Buffer, flush: number): Buffer };

export function packer(kind: "none" | "payload" | "stream"): Packer {
  if (kind === "none") return { binary: false, bytes: (text) => text };
  if (kind === "payload") return { binary: true, bytes: (text) => deflateSync(text) };
  // Node's synchronous deflate of a single stream: ordered, with a flush after each payload as clients expect it.
  const stream = createDeflate() as unknown as SyncDeflate;
  return {
    binary: true,
    bytes: (text) => stream._processChunk(Buffer.from(text), constants.Z_SYNC_FLUSH),
  };
}
