import * as z from "zod";
import { databaseSettingsFromUrl, type DatabaseSettings } from "./store/connection.ts";

/** Where a secret comes from: the variable itself, or a mounted file that is read again when it changes. */
export type Secret = { value: string } | { file: string };

const seconds = (fallback: number) => z.coerce.number().int().positive().max(86_400).default(fallback);
const snowflake = z.string().regex(/^\d{17,20}$/, "must be a Discord id: 17 to 20 digits");
const address = z
  .string()
  .regex(/^(\[?[\w.:*-]*\]?)?:\d{1,5}$/, 'must be "host:port" or ":port"')
  .default(":8080");

const rolePattern = /^[a-z_][a-z0-9_-]{0,62}$/;
const roleSentence = "must be a plain PostgreSQL role name";

const databaseVariables = {
  ENVIRONMENT: z.enum(["production", "staging", "development"]).default("production"),
  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\//, "must begin with postgresql://")
    .optional(),
  DATABASE_URL_FILE: z.string().optional(),
  DATABASE_HOST: z.string().optional(),
  DATABASE_RO_HOST: z.string().optional(),
  DATABASE_PORT: z.coerce.number().int().min(1).max(65_535).default(5432),
  DATABASE_NAME: z.string().optional(),
  DATABASE_USER: z.string().optional(),
  DATABASE_USER_FILE: z.string().optional(),
  DATABASE_PASSWORD: z.string().optional(),
  DATABASE_PASSWORD_FILE: z.string().optional(),
  DATABASE_SSL_MODE: z.enum(["verify-full", "verify-ca", "require", "disable"]).default("verify-full"),
  DATABASE_CA_FILE: z.string().optional(),
  DATABASE_POOL_MIN: z.coerce.number().int().min(0).max(100).default(5),
  DATABASE_POOL_MAX: z.coerce.number().int().min(2).max(100).default(20),
  DATABASE_COMMAND_TIMEOUT: seconds(60),
  DISCORD_GUILD_ID: snowflake,
  DATABASE_RUNTIME_ROLE: z.string().regex(rolePattern, roleSentence).optional(),
  DATABASE_DEVELOPER_ROLE: z.string().regex(rolePattern, roleSentence).optional(),
  DATABASE_DEVELOPER_ACCESS: z.enum(["readOnly", "devSchema"]).optional(),
  LOG_LEVEL: z.enum(["trace", "debug", "info", "warn", "error", "fatal"]).default("info"),
  LOG_FORMAT: z.enum(["json", "text"]).default("json"),
};

const botVariables = {
  ...databaseVariables,
  BOT_MODE: z
    .literal("standalone", {
      error: 'must be "standalone" (gateway and worker modes are not part of this version)',
    })
    .default("standalone"),
  DISCORD_TOKEN: z.string().optional(),
  DISCORD_BOT_TOKEN: z.string().optional(),
  DISCORD_TOKEN_FILE: z.string().optional(),
  DISCORD_APPLICATION_ID: snowflake.optional(),
  DISCORD_API_URL: z.url({ protocol: /^https?$/ }).default("https://discord.com/api"),
  METRICS_ADDRESS: address,
  POD_NAME: z.string().optional(),
  POD_NAMESPACE: z.string().optional(),
  LEASE_NAME: z.string().optional(),
  REPORT_NAME: z.string().optional(),
  LEASE_DURATION: seconds(15),
  LEASE_RENEW_DEADLINE: seconds(10),
  LEASE_RETRY_PERIOD: seconds(2),
  CONFIG_FILE: z.string().optional(),
  OTEL_EXPORTER_OTLP_ENDPOINT: z.url().optional(),
  KUBERNETES_SERVICE_HOST: z.string().optional(),
  KUBERNETES_SERVICE_PORT: z.string().default("443"),
  SERVICE_ACCOUNT_DIR: z.string().default("/var/run/secrets/kubernetes.io/serviceaccount"),
};

const discordVariables = {
  DISCORD_GUILD_ID: botVariables.DISCORD_GUILD_ID,
  DISCORD_TOKEN: botVariables.DISCORD_TOKEN,
  DISCORD_BOT_TOKEN: botVariables.DISCORD_BOT_TOKEN,
  DISCORD_TOKEN_FILE: botVariables.DISCORD_TOKEN_FILE,
  DISCORD_APPLICATION_ID: botVariables.DISCORD_APPLICATION_ID,
  DISCORD_API_URL: botVariables.DISCORD_API_URL,
};

type DiscordVariables = z.output<z.ZodObject<typeof discordVariables>>;
type DatabaseVariables = z.output<z.ZodObject<typeof databaseVariables>>;
type BotVariables = z.output<z.ZodObject<typeof botVariables>>;
type Given = Readonly<Record<string, string>>;
type Fault = (variable: string, message: string) => void;

/** What `db migrate` reads: the database as its owner, and whose ledger it is to hold. */
export const databaseEnvironment = environment(databaseVariables, databaseFaults);

/** What `setup` reads: Discord alone. */
export const discordEnvironment = environment(discordVariables, tokenFault);

/** Every variable that a running bot reads; the names in `config/dev/.env.example` are these. */
export const botEnvironment = environment(botVariables, (given, fault) => {
  databaseFaults(given, fault);
  discordFaults(given, fault);
});

/** The names of all variables. */
export const variableNames: readonly string[] = Object.keys(botVariables);

/** A schema that finds the faults between variables even when single ones have faults too, so that all are told at once. */
function environment<Shape extends z.core.$ZodShape>(
  shape: Shape,
  between: (given: Given, fault: Fault) => void,
) {
  const single = z.object(shape);
  return z.record(z.string(), z.string()).transform((given, context) => {
    between(given, (variable, message) =>
      context.issues.push({ code: "custom", path: [variable], message, input: given }),
    );
    const parsed = single.safeParse(given);
    if (parsed.success) {
      return parsed.data;
    }
    for (const issue of parsed.error.issues) {
      context.issues.push({ ...issue, input: given } as z.core.$ZodRawIssue);
    }
    return z.NEVER;
  });
}

function tokenFault(given: Given, fault: Fault): void {
  if (tokenOf(given) === undefined) {
    fault("DISCORD_TOKEN", "is missing: set DISCORD_TOKEN, or DISCORD_TOKEN_FILE to a file that holds it");
  }
}

function discordFaults(given: Given, fault: Fault): void {
  tokenFault(given, fault);
  if ((given["LEASE_NAME"] === undefined) !== (given["REPORT_NAME"] === undefined)) {
    fault("LEASE_NAME", "and REPORT_NAME belong together: set both (Kubernetes) or neither (standalone)");
  }
  const duration = Number(given["LEASE_DURATION"] ?? 15);
  const deadline = Number(given["LEASE_RENEW_DEADLINE"] ?? 10);
  if (deadline >= duration) {
    fault("LEASE_RENEW_DEADLINE", "must be shorter than LEASE_DURATION");
  }
  if (Number(given["LEASE_RETRY_PERIOD"] ?? 2) >= deadline) {
    fault("LEASE_RETRY_PERIOD", "must be shorter than LEASE_RENEW_DEADLINE");
  }
}

function databaseFaults(given: Given, fault: Fault): void {
  const { DATABASE_URL: url } = given;
  if (url === undefined && given["DATABASE_URL_FILE"] === undefined) {
    const missing = [
      given["DATABASE_HOST"] === undefined && "DATABASE_HOST",
      given["DATABASE_NAME"] === undefined && "DATABASE_NAME",
      (given["DATABASE_USER"] ?? given["DATABASE_USER_FILE"]) === undefined && "DATABASE_USER",
    ].filter((name) => name !== false);
    if (missing.length > 0) {
      fault("DATABASE_URL", `is missing: set it or DATABASE_URL_FILE, or set ${missing.join(", ")}`);
    }
  }
  if (given["DATABASE_RO_HOST"] !== undefined && given["DATABASE_HOST"] === undefined) {
    fault("DATABASE_RO_HOST", "belongs to DATABASE_HOST: a connection string cannot be joined with it");
  }
  if (given["DATABASE_DEVELOPER_ACCESS"] !== undefined && given["DATABASE_DEVELOPER_ROLE"] === undefined) {
    fault("DATABASE_DEVELOPER_ACCESS", "needs the role that gets it: set DATABASE_DEVELOPER_ROLE");
  }
  const modes = [given["DATABASE_SSL_MODE"], new URLSearchParams(url?.split("?")[1]).get("sslmode")];
  if (modes.includes("disable") && given["ENVIRONMENT"] !== "development") {
    fault("DATABASE_SSL_MODE", '"disable" is allowed with ENVIRONMENT=development only');
  }
  if (Number(given["DATABASE_POOL_MIN"] ?? 5) > Number(given["DATABASE_POOL_MAX"] ?? 20)) {
    fault("DATABASE_POOL_MIN", "must not exceed DATABASE_POOL_MAX");
  }
}

function secret(value: string | undefined, file: string | undefined): Secret | undefined {
  if (file !== undefined) {
    return { file };
  }
  return value === undefined ? undefined : { value };
}

function tokenOf(variables: {
  DISCORD_TOKEN?: string | undefined;
  DISCORD_BOT_TOKEN?: string | undefined;
  DISCORD_TOKEN_FILE?: string | undefined;
}): Secret | undefined {
  return secret(variables.DISCORD_TOKEN ?? variables.DISCORD_BOT_TOKEN, variables.DISCORD_TOKEN_FILE);
}

type LogSettings = { level: BotVariables["LOG_LEVEL"]; format: "json" | "text" };

export type BotSettings = {
  environment: BotVariables["ENVIRONMENT"];
  discord: { token: Secret; applicationId: string | undefined; guildId: string; apiUrl: string };
  database: DatabaseSettings;
  log: LogSettings;
  metricsAddress: string;
  podName: string | undefined;
  podNamespace: string | undefined;
  /** Absent: leadership is an advisory lock in PostgreSQL and nothing is reported to Kubernetes. */
  lease:
    | {
        name: string;
        reportName: string;
        durationMs: number;
        renewDeadlineMs: number;
        retryPeriodMs: number;
      }
    | undefined;
  configFile: string | undefined;
  otlpEndpoint: string | undefined;
  serviceAccountDir: string;
  /** The API server as a pod is told of it. */
  kubernetes: { host: string | undefined; port: string };
};

/** What the database's variables mean. */
export function databaseSettings(variables: DatabaseVariables, applicationName: string): DatabaseSettings {
  const shared = {
    sslMode: variables.DATABASE_SSL_MODE,
    poolMin: variables.DATABASE_POOL_MIN,
    poolMax: variables.DATABASE_POOL_MAX,
    commandTimeoutMs: variables.DATABASE_COMMAND_TIMEOUT * 1000,
    applicationName,
    ...(variables.DATABASE_CA_FILE !== undefined && { caFile: variables.DATABASE_CA_FILE }),
  };
  if (variables.DATABASE_URL_FILE !== undefined) {
    const plaintext = variables.ENVIRONMENT === "development";
    return { ...shared, urlFile: variables.DATABASE_URL_FILE, plaintext, host: "", port: 5432, database: "" };
  }
  if (variables.DATABASE_URL !== undefined) {
    return databaseSettingsFromUrl(variables.DATABASE_URL, shared);
  }
  const { DATABASE_USER: user, DATABASE_USER_FILE: userFile } = variables;
  const { DATABASE_PASSWORD: password, DATABASE_PASSWORD_FILE: passwordFile } = variables;
  return {
    ...shared,
    host: variables.DATABASE_HOST ?? "",
    port: variables.DATABASE_PORT,
    database: variables.DATABASE_NAME ?? "",
    ...(variables.DATABASE_RO_HOST !== undefined && { readHost: variables.DATABASE_RO_HOST }),
    ...(userFile !== undefined ? { userFile } : user !== undefined ? { user } : {}),
    ...(passwordFile !== undefined ? { passwordFile } : password !== undefined ? { password } : {}),
  };
}

/** What the variables of Discord mean. */
export function discordSettings(variables: DiscordVariables): BotSettings["discord"] {
  return {
    token: tokenOf(variables) ?? { value: "" },
    applicationId: variables.DISCORD_APPLICATION_ID,
    guildId: variables.DISCORD_GUILD_ID,
    apiUrl: variables.DISCORD_API_URL,
  };
}

/** What a running bot's variables mean. */
export function botSettings(variables: BotVariables): BotSettings {
  const { LEASE_NAME: name, REPORT_NAME: reportName } = variables;
  return {
    environment: variables.ENVIRONMENT,
    discord: discordSettings(variables),
    database: databaseSettings(variables, variables.POD_NAME ?? "dkp-bot"),
    log: { level: variables.LOG_LEVEL, format: variables.LOG_FORMAT },
    metricsAddress: variables.METRICS_ADDRESS,
    podName: variables.POD_NAME,
    podNamespace: variables.POD_NAMESPACE,
    lease:
      name === undefined || reportName === undefined
        ? undefined
        : {
            name,
            reportName,
            durationMs: variables.LEASE_DURATION * 1000,
            renewDeadlineMs: variables.LEASE_RENEW_DEADLINE * 1000,
            retryPeriodMs: variables.LEASE_RETRY_PERIOD * 1000,
          },
    configFile: variables.CONFIG_FILE,
    otlpEndpoint: variables.OTEL_EXPORTER_OTLP_ENDPOINT,
    serviceAccountDir: variables.SERVICE_ACCOUNT_DIR,
    kubernetes: { host: variables.KUBERNETES_SERVICE_HOST, port: variables.KUBERNETES_SERVICE_PORT },
  };
}
