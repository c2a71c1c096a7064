import { channelRoutes } from "./channel-routes.ts";
import { commandRoutes } from "./command-routes.ts";
import { callbackRoutes, webhookRoutes } from "./interaction-routes.ts";
import { guildRoutes, identityRoutes } from "./read-routes.ts";
import type { Route, RouteContext } from "./route.ts";

/** Everything that the stand-in answers below /api/v10. */
export function routes(context: RouteContext): Route[] {
  return [
    ...identityRoutes(context),
    ...guildRoutes(context),
    ...commandRoutes(context),
    ...channelRoutes(context),
    ...callbackRoutes(context),
    ...webhookRoutes(context),
  ];
}
