export type HttpRequest = {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  path: string;
  headers: Record<string, string>;
  body?: string | undefined;
  /** Until the headers come, and between pieces of the body. */
  timeoutMs: number;
  idleTimeoutMs?: number;
  signal?: AbortSignal | undefined;
};

export type HttpResponse = {
  status: number;
  header(name: string): string | undefined;
  text(): Promise<string>;
  /** The body piece by piece; leaving the loop closes the connection. */
  body: AsyncIterable<Buffer>;
};

/** What the client needs of HTTP. */
export type Transport = {
  request(request: HttpRequest): Promise<HttpResponse>;
  /** As `request`, on a connection of its own. */
  stream(request: HttpRequest): Promise<HttpResponse>;
  close(): Promise<void>;
};
