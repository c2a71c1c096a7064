import type { Logger as PinoLogger } from "pino";

/** A pino logger: `log.info({guild}, "sentence")`. */
export type Logger = PinoLogger;

export type LogLevel = "fatal" | "error" | "warn" | "info" | "debug" | "trace" | "silent";

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
};

/** A logger that writes synchronously, so that nothing is lost in a crash. Credentials are redacted by name. */
export function logger(_options: LoggerOptions): Logger {
  throw new Error("not built yet");
}
