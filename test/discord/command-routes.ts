import {
  commandGuild,
  createCommand,
  deleteCommand,
  listCommands,
  overwriteCommands,
  type CommandBody,
} from "./commands.ts";
import { refuse, unknown } from "./refusal.ts";
import { bucket, nothing, ok, type Call, type Route, type RouteContext } from "./route.ts";

/** The commands of a guild. */
export function commandRoutes({ world }: RouteContext): Route[] {
  const path = "/applications/:application/guilds/:guild/commands";
  const guildOf = ({ application, parameters }: Call) => {
    if (parameters["application"] !== application.id) {
      return refuse(403, 20012, "You are not authorized to perform this action on this application");
    }
    return commandGuild(world, application, parameters["guild"] ?? "");
  };
  const base = { path, authenticated: true, response: "ApplicationCommandResponse" };
  const writes = bucket("commands", 5, 20_000, "guild");
  return [
    {
      ...base,
      method: "GET",
      many: true,
      bucket: bucket("list commands", 5, 1_000, "guild"),
      handle: (call) => ok(listCommands(call.application, guildOf(call).id)),
    },
    {
      ...base,
      method: "PUT",
      many: true,
      bucket: writes,
      request: "ApplicationCommandUpdateRequest",
      handle: (call) =>
        ok(overwriteCommands(world, call.application, guildOf(call), call.body as CommandBody[])),
    },
    {
      ...base,
      method: "POST",
      bucket: writes,
      request: "ApplicationCommandCreateRequest",
      handle(call) {
        const { created, command } = createCommand(
          world,
          call.application,
          guildOf(call),
          call.body as CommandBody,
        );
        return { status: created ? 201 : 200, body: command };
      },
    },
    {
      ...base,
      method: "GET",
      path: `${path}/:command`,
      bucket: bucket("get command", 5, 1_000, "guild"),
      handle(call) {
        const found = listCommands(call.application, guildOf(call).id).find(
          ({ id }) => id === call.parameters["command"],
        );
        return found === undefined ? unknown.command() : ok(found);
      },
    },
    {
      method: "DELETE",
      path: `${path}/:command`,
      authenticated: true,
      bucket: writes,
      handle(call) {
        deleteCommand(call.application, guildOf(call).id, call.parameters["command"] ?? "");
        return nothing;
      },
    },
  ];
}
