import { pino, type Logger as PinoLogger } from "pino";

/** A pino logger: `log.info({guild}, "sentence")`. */
export type Logger = PinoLogger;

type LogLevel = "fatal" | "error" | "warn" | "info" | "debug" | "trace" | "silent";

export type LoggerOptions = {
  level: LogLevel;
  /** "json" for collectors, "text" for people. */
  format: "json" | "text";
  name: string;
  /** Further paths to redact, in pino's syntax. */
  redact?: readonly string[];
  /** Where lines go; standard output by default. */
  destination?: { write(line: string): void };
  /** Also handed each JSON line, e.g. to export it by OTLP. */
  sink?: (line: string) => void;
  /** Further facts of each line, e.g. of the span in hand. */
  facts?: () => Record<string, string>;
};

/** Names under which credentials travel; whatever stands there, up to two levels deep, is never written. */
const secretNames = [
  "token",
  "password",
  "secret",
  "authorization",
  "Authorization",
  "connectionString",
  "stringData",
  "clientKey",
];

/** A logger that writes synchronously, so that nothing is lost in a crash. Credentials are redacted by name. */
export function logger(options: LoggerOptions): Logger {
  const { level, format, name, sink, facts } = options;
  const paths = secretNames.flatMap((secret) => [secret, `*.${secret}`, `*.*.${secret}`]);
  const out = options.destination ?? pino.destination({ dest: 1, sync: true });
  return pino(
    {
      level,
      name,
      base: { name },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: [...paths, ...(options.redact ?? [])], censor: "[redacted]" },
      serializers: { err: errorFacts },
      ...(facts === undefined ? {} : { mixin: facts }),
    },
    {
      write(line: string) {
        sink?.(line);
        out.write(format === "text" ? readable(line) : line);
      },
    },
  );
}

/** What is told of an error: its own words and those of its causes. Other fields may hold anything and stay out. */
function errorFacts(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return { message: String(error) };
  const code = "code" in error && typeof error.code === "string" ? { code: error.code } : {};
  const cause = error.cause === undefined || depth >= 4 ? {} : { cause: errorFacts(error.cause, depth + 1) };
  return {
    type: error.name,
    message: error.message,
    ...code,
    stack: depth === 0 ? error.stack : undefined,
    ...cause,
  };
}

/** A line for people: time, level, sentence, facts. */
function readable(line: string): string {
  const { time, level, msg, name: _, err, ...facts } = JSON.parse(line) as Record<string, unknown>;
  const clock = String(time).slice(11, 23);
  const rest = Object.entries(facts).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  const stack = typeof err === "object" && err !== null ? `\n${JSON.stringify(err, undefined, 2)}` : "";
  return `${[clock, String(level).toUpperCase().padEnd(5), typeof msg === "string" ? msg : "", ...rest].join(" ")}${stack}\n`;
}
