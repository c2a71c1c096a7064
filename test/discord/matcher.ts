import type { Route } from "./route.ts";

type Found = { route: Route; parameters: Record<string, string> };

/** Finds the route of a request: `"method"` when the path exists with another method, null when it does not. */
export function matcher(routes: Route[]) {
  const compiled = routes.map((route) => {
    const names = [...route.path.matchAll(/:(\w+)/g)].map((match) => match[1] ?? "");
    return { route, names, pattern: new RegExp(`^${route.path.replaceAll(/:\w+/g, "([^/]+)")}$`) };
  });
  return (method: string, path: string): Found | "method" | null => {
    let other = false;
    for (const { route, names, pattern } of compiled) {
      const match = pattern.exec(path);
      if (match === null) continue;
      if (route.method !== method) {
        other = true;
        continue;
      }
      const values = match.slice(1).map((value) => decodeURIComponent(value));
      return {
        route,
        parameters: Object.fromEntries(names.map((name, index) => [name, values[index] ?? ""])),
      };
    }
    return other ? "method" : null;
  };
}
