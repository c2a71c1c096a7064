import { constants, createDeflate, deflateSync } from "node:zlib";

/** How a connection's payloads go out: as text, each deflated on its own, or as one zlib stream. */
export type Compression = "none" | "payload" | "stream";

/** Hands payloads on in their order, packed. */
export function packer(kind: Compression, out: (bytes: string | Buffer) => void): (text: string) => void {
  if (kind === "none") return out;
  if (kind === "payload") return (text) => out(deflateSync(text));
  const stream = createDeflate();
  stream.on("data", out);
  // Each payload ends with a flush, whose mark 00 00 FF FF tells clients that it is complete.
  return (text) => {
    stream.write(text);
    stream.flush(constants.Z_SYNC_FLUSH);
  };
}
