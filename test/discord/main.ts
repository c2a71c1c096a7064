import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { control } from "./control.ts";
import type { ApplicationSpec, GuildSpec } from "./driver.ts";
import { startDiscord } from "./stand-in.ts";

/** What exists from the start: ids and tokens that a configuration elsewhere already names. */
type Seed = { applications?: ApplicationSpec[]; guilds?: GuildSpec[] };

const usage = `Discord stand-in: REST and gateway v10, and a control API under /control/.
  --port N          port, 8080 by default                       (PORT)
  --address A       address to listen on, 0.0.0.0 by default    (ADDRESS)
  --public-url URL  how clients reach it                        (PUBLIC_URL)
  --seed JSON|FILE  applications and guilds from the start      (SEED)
  --identify-interval-ms N   between two IDENTIFYs, 5000 as at Discord by default (IDENTIFY_INTERVAL_MS)
`;

const { values } = parseArgs({
  options: {
    port: { type: "string", default: process.env["PORT"] ?? "8080" },
    address: { type: "string", default: process.env["ADDRESS"] ?? "0.0.0.0" },
    "public-url": { type: "string", default: process.env["PUBLIC_URL"] ?? "" },
    seed: { type: "string", default: process.env["SEED"] ?? "{}" },
    "identify-interval-ms": { type: "string", default: process.env["IDENTIFY_INTERVAL_MS"] ?? "5000" },
    help: { type: "boolean", default: false },
  },
});

if (values.help) {
  process.stdout.write(usage);
} else {
  const seed = values.seed.trimStart().startsWith("{") ? values.seed : readFileSync(values.seed, "utf8");
  const discord = await startDiscord({
    port: Number(values.port),
    address: values.address,
    identifyIntervalMs: Number(values["identify-interval-ms"]),
    ...(values["public-url"] === "" ? {} : { publicUrl: values["public-url"] }),
  });
  discord.serve(control(discord));
  const { applications = [], guilds = [] } = JSON.parse(seed) as Seed;
  for (const application of applications) await discord.addApplication(application);
  for (const guild of guilds) await discord.addGuild(guild);
  const about = { apiUrl: discord.apiUrl, gatewayUrl: discord.gatewayUrl, port: discord.port };
  process.stdout.write(`${JSON.stringify(about)}\n`);
  const stop = () => void discord.close().then(() => process.exit(0));
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
}
